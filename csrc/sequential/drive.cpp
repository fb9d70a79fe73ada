// Which outputs are summed together: as in drive/, a vector runs along the pixels (weight fixed) or along the outputs (activation fixed).
// A window is never split, because its products have an order.
#include <algorithm>
#include <vector>

#include "drive/layout.hpp"
#include "drive/parallel.hpp"
#include "sequential/sequential.hpp"

namespace inexact {
namespace {

struct Job {
  const Convolution& s;
  const Layout& l;
  const uint8_t* planes;   // laid out as `l` says
  const uint8_t* weights;  // [out_channels, window]
  int threads;
  int32_t* out;

  const uint8_t* group(int64_t run, int64_t g) const { return planes + run * l.run_step + g * s.group_in() * l.channel_step; }
};

// Positions [p0, p1) of a run to the planes of one output channel; those that belong to no output are dropped.
void store(const int32_t* sums, int64_t p0, int64_t p1, const Job& job, int64_t run, int64_t channel) {
  const Convolution& s = job.s;
  for (int64_t p = p0; p < p1;) {
    const int64_t image = p / job.l.image_positions(), rest = p % job.l.image_positions();
    const int64_t y = rest / job.l.pitch_w, x = rest % job.l.pitch_w, end = std::min(p1, p + job.l.pitch_w - x);
    const int64_t keep = y < s.out_h ? std::min(s.out_w - x, end - p) : 0;
    if (keep > 0) {
      std::copy(sums + (p - p0), sums + (p - p0) + keep, job.out + ((run + image) * s.out_channels + channel) * s.pixels() + y * s.out_w + x);
    }
    p = end;
  }
}

void along_pixels(const Job& job, const Sequence& sequence) {
  const Convolution& s = job.s;
  const int64_t length = std::min(job.l.run, sequence.block()), blocks = ceil_div(job.l.run, length);
  const int64_t outer = job.l.runs * s.groups * blocks;
  const int64_t parts = std::min(s.group_out(), std::max<int64_t>(1, ceil_div(4 * job.threads, outer)));
  const int64_t share = ceil_div(s.group_out(), parts);
  parallel_for(outer * parts, job.threads, [&](int64_t task) {
    const int64_t part = task % parts, block = task / parts % blocks;
    const int64_t g = task / (parts * blocks) % s.groups, run = task / (parts * blocks * s.groups);
    const int64_t p0 = block * length, p1 = std::min(job.l.run, p0 + length);
    std::vector<int32_t> sums(static_cast<size_t>(p1 - p0));
    for (int64_t o = part * share; o < std::min(s.group_out(), (part + 1) * share); ++o) {
      const int64_t channel = g * s.group_out() + o;
      sequence.sum(job.weights + channel * s.window(), s.window(), job.group(run, g) + p0, job.l.offsets.data(), p1 - p0, sums.data());
      store(sums.data(), p0, p1, job, run, channel);
    }
  });
}

void along_channels(const Job& job, const Sequence& sequence) {
  const Convolution& s = job.s;
  const int64_t k = s.window(), outs = s.group_out();
  std::vector<uint8_t> stream(static_cast<size_t>(s.groups * k * outs));
  for (int64_t g = 0; g < s.groups; ++g) transpose_bytes(job.weights + g * outs * k, outs, k, stream.data() + g * k * outs, job.threads);
  std::vector<int64_t> offsets(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; ++i) offsets[i] = i * outs;
  parallel_for(s.batch * s.groups * s.pixels(), job.threads, [&](int64_t task) {
    const int64_t q = task % s.pixels(), g = task / s.pixels() % s.groups, image = task / (s.pixels() * s.groups);
    const uint8_t* planes = job.l.in_place ? job.group(image, g) : job.group(0, g) + image * job.l.image_positions();
    const uint8_t* corner = planes + q / s.out_w * job.l.pitch_w + q % s.out_w;
    std::vector<uint8_t> codes(static_cast<size_t>(k));
    std::vector<int32_t> sums(static_cast<size_t>(outs));
    for (int64_t i = 0; i < k; ++i) codes[i] = corner[job.l.offsets[i]];
    sequence.sum(codes.data(), k, stream.data() + g * k * outs, offsets.data(), outs, sums.data());
    int32_t* out = job.out + (image * s.out_channels + g * outs) * s.pixels() + q;
    for (int64_t o = 0; o < outs; ++o) out[o * s.pixels()] = sums[o];
  });
}

// Blocks begun when `vectors` calls of `length` outputs each are made.
int64_t blocks_of(const int64_t block, int64_t vectors, int64_t length) { return vectors * ceil_div(length, block); }

}  // namespace

void sequential_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, const Accumulation& acc, int64_t m, int64_t n, int64_t k,
                     int threads, MakeSequence make, int32_t* out) {
  threads = useful_threads(m * n * k, threads);
  const std::unique_ptr<Sequence> by_a = make(lut, acc);
  const bool fix_a = blocks_of(by_a->block(), m, n) <= blocks_of(by_a->block(), n, m);
  const std::unique_ptr<Sequence> by_b = fix_a ? nullptr : make(lut.transposed(), acc);
  const Sequence& sequence = fix_a ? *by_a : *by_b;
  const int64_t rows = fix_a ? m : n, columns = fix_a ? n : m;
  std::vector<uint8_t> stream(static_cast<size_t>(k * columns));
  transpose_bytes(fix_a ? b : a, columns, k, stream.data(), threads);
  std::vector<int64_t> offsets(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; ++i) offsets[i] = i * columns;
  const int64_t length = std::min(columns, sequence.block()), across = ceil_div(columns, length);
  parallel_for(rows * across, threads, [&](int64_t task) {
    const int64_t row = task % rows, c0 = task / rows * length, c1 = std::min(columns, c0 + length);
    std::vector<int32_t> sums(static_cast<size_t>(c1 - c0));
    sequence.sum((fix_a ? a : b) + row * k, k, stream.data() + c0, offsets.data(), c1 - c0, sums.data());
    for (int64_t c = c0; c < c1; ++c) out[fix_a ? row * n + c : c * n + row] = sums[c - c0];
  });
}

void sequential_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Accumulation& acc, const Convolution& s, int threads,
                     MakeSequence make, int32_t* out) {
  const Layout l = layout_of(s, true);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  std::vector<uint8_t> packed;
  if (!l.in_place) {
    packed.resize(static_cast<size_t>(s.channels * l.channel_step));
    pack(a, s, l, threads, packed.data());
  }
  const Job job{s, l, l.in_place ? a : packed.data(), w, threads, out};
  const std::unique_ptr<Sequence> by_weight = make(lut.transposed(), acc);
  const int64_t pixels = blocks_of(by_weight->block(), l.runs * s.out_channels, l.run);
  const int64_t channels = blocks_of(by_weight->block(), s.batch * s.groups * s.pixels(), s.group_out());
  if (pixels <= channels) {
    along_pixels(job, *by_weight);
  } else {
    along_channels(job, *make(lut, acc));
  }
}

}  // namespace inexact
