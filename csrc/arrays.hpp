// Arrays as Python hands them over, and what must hold of them before the core reads or writes a byte.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include "inexact.hpp"

namespace inexact {

template <typename T, size_t N>
using Array = nanobind::ndarray<T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
using Pair = std::array<int64_t, 2>;
using Sides = std::array<int64_t, 4>;  // top, bottom, left, right

inline void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

template <typename A>
int64_t dim(const A& array, size_t axis) {
  return static_cast<int64_t>(array.shape(axis));
}

inline Lut lut_of(const Array<const int32_t, 2>& table) {
  require(dim(table, 0) >= 1 && dim(table, 0) <= 256 && dim(table, 1) >= 1 && dim(table, 1) <= 256, "table must be at most 256 x 256");
  return {table.data(), dim(table, 0), dim(table, 1), dim(table, 1), 1};
}

inline Convolution shape_of(const Array<const uint8_t, 4>& a, const Array<const uint8_t, 4>& w, const Array<int32_t, 4>& out, Pair stride,
                            Sides padding, Pair dilation, int64_t groups, uint8_t pad_code) {
  const Convolution s{dim(a, 0),   dim(a, 1),   dim(a, 2),   dim(a, 3),  dim(w, 0),  dim(w, 1 + 1), dim(w, 3),   dim(out, 2), dim(out, 3),
                      stride[0],   stride[1],   padding[0],  padding[2], dilation[0], dilation[1],  groups,      pad_code};
  require(stride[0] > 0 && stride[1] > 0 && dilation[0] > 0 && dilation[1] > 0, "stride and dilation must be positive");
  require(*std::min_element(padding.begin(), padding.end()) >= 0, "padding must not be negative");
  require(groups > 0 && s.channels % groups == 0 && s.out_channels % groups == 0, "groups must divide the channels");
  require(dim(w, 1) == s.group_in() && dim(out, 0) == s.batch && dim(out, 1) == s.out_channels, "shapes of a, w and out must agree");
  require(s.window() > 0 && s.out_h > 0 && s.out_w > 0, "window and output must not be empty");
  const auto extent = [](int64_t size, int64_t kernel, int64_t step, int64_t spread) { return (size - spread * (kernel - 1) - 1) / step + 1; };
  require(s.out_h == extent(s.height + padding[0] + padding[1], s.kernel_h, stride[0], dilation[0]) &&
              s.out_w == extent(s.width + padding[2] + padding[3], s.kernel_w, stride[1], dilation[1]),
          "shape of out must follow from the geometry");
  return s;
}

}  // namespace inexact
