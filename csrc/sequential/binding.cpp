// Python face of sums through an adder. What would read or write outside an array is checked here once more.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <string>

#include "arrays.hpp"
#include "sequential/sequential.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {
namespace {

using Choice = std::array<int64_t, 8>;  // kind, low, step, reach, width, saturate, chained, group

Accumulation accumulation_of(const Choice& c) {
  const int64_t kind = c[0], low = c[1], step = c[2], reach = c[3], width = c[4], group = c[7];
  require(kind >= 0 && kind <= static_cast<int64_t>(Bits::segmented) && width >= 2 && width <= 32, "adder or width unknown");
  require(low >= 0 && low <= width && reach >= 0 && reach <= width, "the adder must fit its width");
  require(kind != static_cast<int64_t>(Bits::segmented) || (step >= 1 && step <= width), "a segment must have bits");
  require(group >= 1 && (c[6] || (group <= 256 && (group & (group - 1)) == 0)), "a tree must have 1..256 leaves, a power of two");
  const Adder adder{static_cast<Bits>(kind), static_cast<int>(low), static_cast<int>(step), static_cast<int>(reach)};
  return {adder, static_cast<int>(width), c[5] != 0, c[6] != 0, group};
}

MakeSequence path_of(const std::string& isa) {
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
  return sequence_for(isa);
}

void gemm(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, Array<const int32_t, 2> lut, Array<int32_t, 2> out, const Choice& choice,
          int threads, const std::string& isa) {
  const Lut table = lut_of(lut);
  const Accumulation acc = accumulation_of(choice);
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && m > 0 && n > 0 && k > 0, "shapes of a, b and out must agree");
  const MakeSequence make = isa == "reference" ? nullptr : path_of(isa);
  const nb::gil_scoped_release unlocked;
  if (make == nullptr) {
    reference_sequential_gemm(a.data(), b.data(), table, acc, m, n, k, out.data());
  } else {
    sequential_gemm(a.data(), b.data(), table, acc, m, n, k, threads, make, out.data());
  }
}

int64_t extent(int64_t size, int64_t kernel, int64_t stride, int64_t dilation) { return (size - dilation * (kernel - 1) - 1) / stride + 1; }

void conv2d(Array<const uint8_t, 4> a, Array<const uint8_t, 4> w, Array<const int32_t, 2> lut, Array<int32_t, 4> out, const Choice& choice,
            Pair stride, Sides padding, Pair dilation, int64_t groups, uint8_t pad_code, int threads, const std::string& isa) {
  const Lut table = lut_of(lut);
  const Accumulation acc = accumulation_of(choice);
  const Convolution s{dim(a, 0), dim(a, 1), dim(a, 2),  dim(a, 3),  dim(w, 0),   dim(w, 2),   dim(w, 3), dim(out, 2), dim(out, 3),
                      stride[0], stride[1], padding[0], padding[2], dilation[0], dilation[1], groups,    pad_code};
  require(stride[0] > 0 && stride[1] > 0 && dilation[0] > 0 && dilation[1] > 0, "stride and dilation must be positive");
  require(*std::min_element(padding.begin(), padding.end()) >= 0, "padding must not be negative");
  require(groups > 0 && s.channels % groups == 0 && s.out_channels % groups == 0, "groups must divide the channels");
  require(dim(w, 1) == s.group_in() && dim(out, 0) == s.batch && dim(out, 1) == s.out_channels, "shapes of a, w and out must agree");
  require(s.batch > 0 && s.out_channels > 0 && s.window() > 0 && s.out_h > 0 && s.out_w > 0, "window and output must not be empty");
  require(s.out_h == extent(s.height + padding[0] + padding[1], s.kernel_h, stride[0], dilation[0]) &&
              s.out_w == extent(s.width + padding[2] + padding[3], s.kernel_w, stride[1], dilation[1]),
          "shape of out must follow from the geometry");
  const MakeSequence make = isa == "reference" ? nullptr : path_of(isa);
  const nb::gil_scoped_release unlocked;
  if (make == nullptr) {
    reference_sequential_conv(a.data(), w.data(), table, acc, s, out.data());
  } else {
    sequential_conv(a.data(), w.data(), table, acc, s, threads, make, out.data());
  }
}

}  // namespace

void bind_sequential(nb::module_& m) {
  m.def("sequential_gemm", &gemm, "a"_a, "b"_a, "lut"_a, "out"_a, "accumulation"_a, "threads"_a, "isa"_a,
        "out[m, n] = the accumulator after lut[a[m, k], b[n, k]], k in order. accumulation: kind, low, step, reach of the adder, width, "
        "saturate, chained, group.");
  m.def("sequential_conv2d", &conv2d, "a"_a, "w"_a, "lut"_a, "out"_a, "accumulation"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a,
        "pad_code"_a, "threads"_a, "isa"_a, "Grouped convolution through an accumulator; padded positions hold pad_code.");
}

}  // namespace inexact
