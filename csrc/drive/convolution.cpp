// Convolution through the table, without im2col in memory: a padded plane is read at shifted positions.
//
// A plane is stored padded, and split into its stride_h x stride_w phases, so that every tap of every stride reads a contiguous run:
// output p of the flattened plane needs byte offset[tap] + p. The few columns beyond out_w are computed and dropped.
#include <cstring>
#include <cstring>
#include <vector>

#include "drive/parallel.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

struct Layout {
  int64_t phase_h, phase_w;        // size of one phase
  int64_t used_h, used_w;          // phases that some tap reads
  bool in_place;                   // the input itself serves as the padded plane
  std::vector<int64_t> offsets;    // of each tap (channel, i, j) within one image's group
  int64_t plane() const { return used_h * used_w * phase_h * phase_w; }
};

int64_t phases(int64_t kernel, int64_t dilation, int64_t stride) {
  int64_t last = 0;
  for (int64_t i = 0; i < kernel; ++i) last = std::max(last, i * dilation % stride);
  return last + 1;
}

Layout layout_of(const Convolution& s) {
  Layout l;
  const int64_t need_h = (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
  const int64_t need_w = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  l.in_place = s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 && need_h <= s.height && need_w == s.width;
  l.phase_h = l.in_place ? s.height : ceil_div(need_h, s.stride_h);
  l.phase_w = ceil_div(need_w, s.stride_w);
  l.used_h = phases(s.kernel_h, s.dilation_h, s.stride_h);
  l.used_w = phases(s.kernel_w, s.dilation_w, s.stride_w);
  for (int64_t c = 0; c < s.group_in(); ++c) {
    for (int64_t i = 0; i < s.kernel_h; ++i) {
      for (int64_t j = 0; j < s.kernel_w; ++j) {
        const int64_t y = i * s.dilation_h, x = j * s.dilation_w;
        const int64_t phase = y % s.stride_h * l.used_w + x % s.stride_w;
        l.offsets.push_back(c * l.plane() + phase * l.phase_h * l.phase_w + y / s.stride_h * l.phase_w + x / s.stride_w);
      }
    }
  }
  return l;
}

// One row of one phase: columns phase_x, phase_x + stride, ... of the padded row whose first inside element is row[0].
void pack_row(const uint8_t* row, const Convolution& s, int64_t phase_x, int64_t count, uint8_t* out) {
  const int64_t start = phase_x - s.pad_left;  // input column of out[0]
  const int64_t first = start >= 0 ? 0 : std::min(count, ceil_div(-start, s.stride_w));
  const int64_t inside = s.width > start ? std::min(count, ceil_div(s.width - start, s.stride_w)) : 0;
  const int64_t last = std::max(first, inside);
  std::memset(out, s.pad_code, static_cast<size_t>(first));
  if (s.stride_w == 1) {
    if (last > first) std::memcpy(out + first, row + start + first, static_cast<size_t>(last - first));
  } else {
    for (int64_t i = first; i < last; ++i) out[i] = row[start + i * s.stride_w];
  }
  std::memset(out + last, s.pad_code, static_cast<size_t>(count - last));
}

void pack_plane(const uint8_t* plane, const Convolution& s, const Layout& l, uint8_t* out) {
  for (int64_t py = 0; py < l.used_h; ++py) {
    for (int64_t px = 0; px < l.used_w; ++px) {
      for (int64_t i = 0; i < l.phase_h; ++i, out += l.phase_w) {
        const int64_t y = i * s.stride_h + py - s.pad_top;
        if (y < 0 || y >= s.height) {
          std::memset(out, s.pad_code, static_cast<size_t>(l.phase_w));
        } else {
          pack_row(plane + y * s.width, s, px, l.phase_w, out);
        }
      }
    }
  }
}

struct Job {
  const Convolution& s;
  const Layout& l;
  const uint8_t* planes;  // [batch, channels, plane()]
  const uint8_t* weights; // [out_channels, window]
  int threads;
  int32_t* out;

  int64_t flat() const { return (s.out_h - 1) * l.phase_w + s.out_w; }
  const uint8_t* group(int64_t image, int64_t g) const { return planes + (image * s.channels + g * s.group_in()) * l.plane(); }
};

// Copies the sums of flat positions [p0, p1) to one output plane, without the columns beyond out_w.
void store_flat(const int32_t* sums, int64_t p0, int64_t p1, int64_t phase_w, int64_t out_w, int32_t* plane) {
  for (int64_t p = p0; p < p1;) {
    const int64_t y = p / phase_w, x = p % phase_w, end = std::min(p1, (y + 1) * phase_w);
    const int64_t keep = std::min(out_w - x, end - p);
    if (keep > 0) std::copy(sums + (p - p0), sums + (p - p0) + keep, plane + y * out_w + x);
    p = end;
  }
}

// Weight fixed, vector along the pixels.
void along_pixels(const Job& job, const RowTable& table) {
  const Convolution& s = job.s;
  const int64_t length = std::min(job.flat(), table.block());
  const int64_t blocks = ceil_div(job.flat(), length), outer = s.batch * s.groups * blocks;
  const int64_t parts = std::min(s.group_out(), std::max<int64_t>(1, ceil_div(4 * job.threads, outer)));
  const int64_t share = ceil_div(s.group_out(), parts);
  parallel_for(outer * parts, job.threads, [&](int64_t task) {
    const int64_t part = task % parts, block = task / parts % blocks;
    const int64_t g = task / (parts * blocks) % s.groups, image = task / (parts * blocks * s.groups);
    const int64_t p0 = block * length, p1 = std::min(job.flat(), p0 + length);
    std::vector<int32_t> sums(static_cast<size_t>(p1 - p0));
    for (int64_t o = part * share; o < std::min(s.group_out(), (part + 1) * share); ++o) {
      const int64_t channel = g * s.group_out() + o;
      int32_t* plane = job.out + (image * s.out_channels + channel) * s.pixels();
      const bool direct = job.l.phase_w == s.out_w;
      table.sum(job.weights + channel * s.window(), s.window(), job.group(image, g) + p0, job.l.offsets.data(), p1 - p0,
                direct ? plane + p0 : sums.data());
      if (!direct) store_flat(sums.data(), p0, p1, job.l.phase_w, s.out_w, plane);
    }
  });
}

// Activation fixed, vector along the output channels: for planes of few pixels.
void along_channels(const Job& job, const RowTable& table) {
  const Convolution& s = job.s;
  const int64_t k = s.window(), outs = s.group_out();
  std::vector<uint8_t> stream(static_cast<size_t>(s.groups * k * outs));
  for (int64_t g = 0; g < s.groups; ++g) transpose_bytes(job.weights + g * outs * k, outs, k, stream.data() + g * k * outs, job.threads);
  std::vector<int64_t> offsets(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; ++i) offsets[i] = i * outs;
  constexpr int64_t pixels = 16;  // outputs are written 64 bytes at a time
  const int64_t blocks = ceil_div(s.pixels(), pixels);
  parallel_for(s.batch * s.groups * blocks, job.threads, [&](int64_t task) {
    const int64_t block = task % blocks, g = task / blocks % s.groups, image = task / (blocks * s.groups);
    const int64_t q0 = block * pixels, q1 = std::min(s.pixels(), q0 + pixels);
    const uint8_t* planes = job.group(image, g);
    std::vector<uint8_t> codes(static_cast<size_t>(k));
    std::vector<int32_t> sums(static_cast<size_t>(pixels * outs));
    for (int64_t q = q0; q < q1; ++q) {
      const uint8_t* corner = planes + q / s.out_w * job.l.phase_w + q % s.out_w;
      for (int64_t i = 0; i < k; ++i) codes[i] = corner[job.l.offsets[i]];
      for (int64_t o0 = 0; o0 < outs; o0 += table.block()) {
        table.sum(codes.data(), k, stream.data() + g * k * outs + o0, offsets.data(), std::min(table.block(), outs - o0),
                  sums.data() + (q - q0) * outs + o0);
      }
    }
    int32_t* out = job.out + (image * s.out_channels + g * outs) * s.pixels();
    for (int64_t o = 0; o < outs; ++o) {
      for (int64_t q = q0; q < q1; ++q) out[o * s.pixels() + q] = sums[(q - q0) * outs + o];
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

void table_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Convolution& s, int threads, MakeRows make, Fixed fixed,
                int32_t* out) {
  const Layout l = layout_of(s);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  std::vector<uint8_t> packed;
  if (!l.in_place) {
    packed.resize(static_cast<size_t>(s.batch * s.channels * l.plane()));
    parallel_for(s.batch * s.channels, threads, [&](int64_t i) {
      pack_plane(a + i * s.height * s.width, s, l, packed.data() + i * l.plane());
    });
  }
  const Job job{s, l, l.in_place ? a : packed.data(), w, threads, out};
  // Many outputs a channel or few channels: no need to prepare both tables to know.
  if (fixed == Fixed::choose && (s.group_out() < 32 || job.flat() >= 1024)) fixed = Fixed::weight;
  std::unique_ptr<RowTable> by_a, by_b;
  if (fixed != Fixed::weight) by_a = make(lut);
  if (fixed != Fixed::activation) by_b = make(lut.transposed());
  if (fixed == Fixed::choose) {
    const bool mirrored = cost_of(*by_a, s.pixels(), s.group_out()) < cost_of(*by_b, s.group_out(), job.flat());
    fixed = mirrored ? Fixed::activation : Fixed::weight;
  }
  if (fixed == Fixed::weight) {
    along_pixels(job, *by_b);
  } else {
    along_channels(job, *by_a);
  }
}

}  // namespace inexact
