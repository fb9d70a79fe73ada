#include "drive/layout.hpp"

#include <algorithm>
#include <cstring>

#include "drive/parallel.hpp"

namespace inexact {
namespace {

int64_t phases(int64_t kernel, int64_t dilation, int64_t stride) {
  int64_t last = 0;
  for (int64_t i = 0; i < kernel; ++i) last = std::max(last, i * dilation % stride);
  return last + 1;
}

// Channels a multiple of 4 KB apart would all fall into the same few sets of the L1 cache.
int64_t spread(int64_t bytes) {
  const int64_t lines = ceil_div(bytes, 64);
  return (lines + (lines % 2 == 0)) * 64;
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
  } else if (s.stride_w == 2) {  // a constant stride is vectorised
    for (int64_t i = first; i < last; ++i) out[i] = row[start + i * 2];
  } else {
    for (int64_t i = first; i < last; ++i) out[i] = row[start + i * s.stride_w];
  }
  std::memset(out + last, s.pad_code, static_cast<size_t>(count - last));
}

// One phase of one plane. Where padding is shared, what follows a row is written by the next row or image.
void pack_phase(const uint8_t* plane, const Convolution& s, const Layout& l, int64_t phase_y, int64_t phase_x, bool last_image, uint8_t* out) {
  const int64_t rows = last_image ? l.phase_h : l.pitch_h;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t y = i * s.stride_h + phase_y - s.pad_top;
    const int64_t columns = last_image && i + 1 == rows ? l.phase_w : l.pitch_w;
    if (y < 0 || y >= s.height) {
      std::memset(out + i * l.pitch_w, s.pad_code, static_cast<size_t>(columns));
    } else {
      pack_row(plane + y * s.width, s, phase_x, columns, out + i * l.pitch_w);
    }
  }
}

}  // namespace

Layout layout_of(const Convolution& s, bool in_memory) {
  Layout l{};
  const int64_t need_h = (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
  const int64_t need_w = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  const bool plain = s.stride_h == 1 && s.stride_w == 1;
  // Small planes are worth a copy: side by side they fill the vectors.
  l.in_place = in_memory && plain && s.pad_top == 0 && s.pad_left == 0 && need_h <= s.height && need_w == s.width &&
               (s.batch == 1 || s.pixels() >= 1024);
  l.phase_h = ceil_div(need_h, s.stride_h);
  l.phase_w = ceil_div(need_w, s.stride_w);
  // At most what the kernel reaches beyond the outputs: two outputs cannot have one position.
  const auto shared = [&](int64_t before, int64_t need, int64_t size, int64_t out) {
    return plain ? std::max<int64_t>(0, std::min({before, need - before - size, need - out})) : 0;
  };
  l.pitch_h = l.in_place ? s.height : l.phase_h - shared(s.pad_top, need_h, s.height, s.out_h);
  l.pitch_w = l.phase_w - (l.in_place ? 0 : shared(s.pad_left, need_w, s.width, s.out_w));
  l.used_h = phases(s.kernel_h, s.dilation_h, s.stride_h);
  l.used_w = phases(s.kernel_w, s.dilation_w, s.stride_w);
  const int64_t images = l.in_place ? 1 : s.batch;
  l.run = (images - 1) * l.image_positions() + (s.out_h - 1) * l.pitch_w + s.out_w;
  l.runs = l.in_place ? s.batch : 1;
  l.run_step = s.channels * s.height * s.width;
  l.channel_step = l.in_place ? s.height * s.width : spread(l.used_h * l.used_w * l.phase_size(s.batch));
  for (int64_t c = 0; c < s.group_in(); ++c) {
    for (int64_t i = 0; i < s.kernel_h; ++i) {
      for (int64_t j = 0; j < s.kernel_w; ++j) {
        const int64_t y = i * s.dilation_h, x = j * s.dilation_w;
        const int64_t phase = y % s.stride_h * l.used_w + x % s.stride_w;
        l.offsets.push_back(c * l.channel_step + phase * l.phase_size(s.batch) + y / s.stride_h * l.pitch_w + x / s.stride_w);
      }
    }
  }
  return l;
}

void pack(const uint8_t* a, const Convolution& s, const Layout& l, int threads, uint8_t* packed) {
  const int64_t phase_count = l.used_h * l.used_w;
  parallel_for(s.channels, threads, [&](int64_t c) {
    for (int64_t phase = 0; phase < phase_count; ++phase) {
      uint8_t* out = packed + c * l.channel_step + phase * l.phase_size(s.batch);
      for (int64_t image = 0; image < s.batch; ++image) {
        const uint8_t* plane = a + (image * s.channels + c) * s.height * s.width;
        pack_phase(plane, s, l, phase / l.used_w, phase % l.used_w, image + 1 == s.batch, out + image * l.image_positions());
      }
    }
  });
}

}  // namespace inexact
