// Convolution through the table, without im2col in memory: padded planes (layout.hpp) are read at shifted positions.
#include <algorithm>
#include <memory>
#include <vector>

#include "drive/layout.hpp"
#include "drive/parallel.hpp"
#include "drive/runs.hpp"
#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

struct Job {
  const Convolution& s;
  const Layout& l;
  const uint8_t* planes;   // laid out as `l` says
  const uint8_t* weights;  // [out_channels, window]
  int threads;
  const Sink& out;

  // Byte 0 of a group in one run.
  const uint8_t* group(int64_t run, int64_t g) const { return planes + run * l.run_step + g * s.group_in() * l.channel_step; }
};

// Weight fixed, vector along the pixels.
void along_pixels(const Job& job, const RowTable& table) {
  const Convolution& s = job.s;
  const int64_t length = std::min(job.l.run, table.block());
  const int64_t blocks = ceil_div(job.l.run, length), outer = job.l.runs * s.groups * blocks;
  const int64_t parts = std::min(s.group_out(), std::max<int64_t>(1, ceil_div(4 * job.threads, outer)));
  const int64_t share = ceil_div(s.group_out(), parts);
  const bool direct = job.l.pitch_w == s.out_w && (job.l.in_place || s.batch == 1);
  parallel_for(outer * parts, job.threads, [&](int64_t task) {
    const int64_t part = task % parts, block = task / parts % blocks;
    const int64_t g = task / (parts * blocks) % s.groups, run = task / (parts * blocks * s.groups);
    const int64_t p0 = block * length, p1 = std::min(job.l.run, p0 + length);
    std::vector<int32_t> sums(static_cast<size_t>(p1 - p0));
    const Runs runs(s, job.l, p0, p1);
    for (int64_t o = part * share; o < std::min(s.group_out(), (part + 1) * share); ++o) {
      const int64_t channel = g * s.group_out() + o;
      int32_t* storage = direct ? job.out.plane_storage(run, channel, p0) : nullptr;
      int32_t* target = storage ? storage : sums.data();
      table.sum(job.weights + channel * s.window(), s.window(), job.group(run, g) + p0, job.l.offsets.data(), p1 - p0, target);
      if (!storage) runs.hand_over(sums.data(), run, channel, job.out);
    }
  });
}

// Activation fixed, vector along the output channels: for planes of few pixels.
void along_channels(const Job& job, const RowTable& table) {
  const Convolution& s = job.s;
  const int64_t k = s.window(), outs = s.group_out();
  const std::unique_ptr<uint8_t[]> stream(new uint8_t[static_cast<size_t>(s.groups * k * outs)]);
  for (int64_t g = 0; g < s.groups; ++g) transpose_bytes(job.weights + g * outs * k, outs, k, stream.get() + g * k * outs, job.threads);
  std::vector<int64_t> offsets(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; ++i) offsets[i] = i * outs;
  constexpr int64_t pixels = 16;  // outputs are written 64 bytes at a time
  const int64_t blocks = ceil_div(s.pixels(), pixels);
  parallel_for(s.batch * s.groups * blocks, job.threads, [&](int64_t task) {
    const int64_t block = task % blocks, g = task / blocks % s.groups, image = task / (blocks * s.groups);
    const int64_t q0 = block * pixels, q1 = std::min(s.pixels(), q0 + pixels);
    const uint8_t* planes = job.l.in_place ? job.group(image, g) : job.group(0, g) + image * job.l.image_positions();
    std::vector<uint8_t> codes(static_cast<size_t>(k));
    std::vector<int32_t> sums(static_cast<size_t>(pixels * outs));
    for (int64_t q = q0; q < q1; ++q) {
      const uint8_t* corner = planes + q / s.out_w * job.l.pitch_w + q % s.out_w;
      for (int64_t i = 0; i < k; ++i) codes[i] = corner[job.l.offsets[i]];
      for (int64_t o0 = 0; o0 < outs; o0 += table.block()) {
        table.sum(codes.data(), k, stream.get() + g * k * outs + o0, offsets.data(), std::min(table.block(), outs - o0),
                  sums.data() + (q - q0) * outs + o0);
      }
    }
    for (int64_t o = 0; o < outs; ++o) {
      int32_t segment[pixels];
      for (int64_t q = q0; q < q1; ++q) segment[q - q0] = sums[(q - q0) * outs + o];
      job.out.plane(image, g * outs + o, q0, q1 - q0, segment);
    }
  });
}

double cost_of(const RowTable& table, int64_t vectors, int64_t length) {
  const int64_t block = std::min(length, table.block()), tail = length % block;
  double one = static_cast<double>(length / block) * table.cost(block);
  if (tail) one += table.cost(tail);
  return static_cast<double>(vectors) * one;
}

}  // namespace

void table_conv(const Source& a, const uint8_t* w, const Lut& lut, const Convolution& s, int threads, MakeRows make, Fixed fixed,
                const Sink& out) {
  const Layout l = layout_of(s, a.codes() != nullptr);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  std::unique_ptr<uint8_t[]> packed;
  if (!l.in_place) {
    packed.reset(new uint8_t[static_cast<size_t>(s.channels * l.channel_step)]);
    a.pack(s, l, threads, packed.get());
  }
  const Job job{s, l, l.in_place ? a.codes() : packed.get(), w, threads, out};
  // Few channels or long runs: no need to prepare both tables to know.
  if (fixed == Fixed::choose && (s.group_out() < 32 || l.run >= 4 * s.group_out())) fixed = Fixed::weight;
  std::unique_ptr<RowTable> by_a, by_b;
  if (fixed != Fixed::weight) by_a = make(lut);
  if (fixed != Fixed::activation) by_b = make(lut.transposed());
  if (fixed == Fixed::choose) {
    const double pixels = cost_of(*by_b, l.runs * s.group_out(), l.run);
    const double channels = cost_of(*by_a, s.batch * s.pixels(), s.group_out());
    fixed = channels < pixels ? Fixed::activation : Fixed::weight;
  }
  if (fixed == Fixed::weight) {
    along_pixels(job, *by_b);
  } else {
    along_channels(job, *by_a);
  }
}

}  // namespace inexact
