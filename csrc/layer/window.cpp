// Sums over the windows of a convolution that do not depend on the weights: channels first, then rows, then columns.
#include <algorithm>
#include <memory>

#include "drive/parallel.hpp"
#include "layer/layer.hpp"

namespace inexact {
namespace {

struct Identity {
  int32_t operator()(uint8_t code) const { return code; }
};

struct Lookup {
  const int32_t* values;
  int64_t operator()(uint8_t code) const { return values[code]; }
};

// plane[y, x] = sum over the channels of one group, rows [y0, y1).
template <typename Sum, typename Value>
void add_channels(const uint8_t* a, const Convolution& s, int64_t y0, int64_t y1, const Value& value, Sum* plane) {
  const int64_t from = y0 * s.width, to = y1 * s.width;
  if (s.height * s.width == 1) {  // a row of a matrix
    Sum total = 0;
    for (int64_t c = 0; c < s.group_in() * (y1 - y0); ++c) total += value(a[c]);
    if (to > from) plane[0] = total;
    return;
  }
  std::fill(plane + from, plane + to, Sum{0});
  for (int64_t c = 0; c < s.group_in(); ++c) {
    const uint8_t* codes = a + c * s.height * s.width;
    for (int64_t i = from; i < to; ++i) plane[i] += value(codes[i]);
  }
}

// One row of outputs from the plane of channel sums; `row` holds the padded columns the kernel reaches.
template <typename Sum, typename Out>
void sum_windows(const Sum* plane, const Convolution& s, int64_t y, Sum pad, int64_t reach, Sum* row, Out* out) {
  std::fill(row, row + reach, Sum{0});
  const int64_t first = std::min(reach, s.pad_left), last = std::min(reach, s.pad_left + s.width);
  for (int64_t i = 0; i < s.kernel_h; ++i) {
    const int64_t at = y * s.stride_h + i * s.dilation_h - s.pad_top;
    const bool inside = at >= 0 && at < s.height;
    const Sum* from = plane + at * s.width - s.pad_left;
    for (int64_t x = 0; x < first; ++x) row[x] += pad;
    for (int64_t x = first; x < last; ++x) row[x] += inside ? from[x] : pad;
    for (int64_t x = last; x < reach; ++x) row[x] += pad;
  }
  for (int64_t x = 0; x < s.out_w; ++x) {
    Sum total = 0;
    for (int64_t j = 0; j < s.kernel_w; ++j) total += row[x * s.stride_w + j * s.dilation_w];
    out[x] = static_cast<Out>(total);
  }
}

template <typename Sum, typename Value, typename Out>
void sums(const uint8_t* a, const Convolution& s, const Value& value, Sum pad, int threads, Out* out) {
  const int64_t area = s.height * s.width, planes = s.batch * s.groups;
  threads = useful_threads(planes * s.group_in() * area / 8, threads);
  const std::unique_ptr<Sum[]> whole(new Sum[static_cast<size_t>(planes * area)]);
  const int64_t parts = std::min(s.height, std::max<int64_t>(1, ceil_div(4 * threads, planes))), rows = ceil_div(s.height, parts);
  parallel_for(planes * parts, threads, [&](int64_t task) {
    const int64_t plane = task / parts, y0 = std::min(s.height, task % parts * rows), y1 = std::min(s.height, y0 + rows);
    add_channels(a + plane * s.group_in() * area, s, y0, y1, value, whole.get() + plane * area);
  });
  const int64_t reach = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  parallel_for(planes, threads, [&](int64_t plane) {
    const std::unique_ptr<Sum[]> row(new Sum[static_cast<size_t>(reach)]);
    for (int64_t y = 0; y < s.out_h; ++y) {
      sum_windows(whole.get() + plane * area, s, y, pad, reach, row.get(), out + plane * s.pixels() + y * s.out_w);
    }
  });
}

}  // namespace

void window_sums(const uint8_t* a, const Convolution& s, int threads, int32_t* out) {
  sums<int32_t>(a, s, Identity{}, static_cast<int32_t>(s.group_in() * s.pad_code), threads, out);
}

void column_sums(const uint8_t* a, const Convolution& s, const int32_t* values, bool skip_padding, int threads, double* out) {
  const int64_t pad = skip_padding ? 0 : s.group_in() * values[s.pad_code];
  sums<int64_t>(a, s, Lookup{values}, pad, threads, out);
}

}  // namespace inexact
