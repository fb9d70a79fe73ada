// Python face of the core. Shapes, ranges and overflow bounds are checked by inexact.kernels before these are called;
// what would read or write outside an array is checked here once more.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "inexact.hpp"
#include "layer/binding.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {

void bind_circuits(nb::module_& m);  // circuits/binding.cpp

namespace {

template <typename T, size_t N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Pair = std::array<int64_t, 2>;
using Sides = std::array<int64_t, 4>;  // top, bottom, left, right

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

template <typename A>
int64_t dim(const A& array, size_t axis) {
  return static_cast<int64_t>(array.shape(axis));
}

Lut lut_of(const Array<const int32_t, 2>& table) {
  require(dim(table, 0) >= 1 && dim(table, 0) <= 256 && dim(table, 1) >= 1 && dim(table, 1) <= 256, "table must be at most 256 x 256");
  return {table.data(), dim(table, 0), dim(table, 1), dim(table, 1), 1};
}

Fixed fixed_of(const std::string& name) {
  if (name == "weight") return Fixed::weight;
  if (name == "activation") return Fixed::activation;
  require(name == "auto", "fixed must be 'auto', 'weight' or 'activation'");
  return Fixed::choose;
}

MakeRows path_of(const std::string& isa) {
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
  return rows_for(isa);
}

void gemm(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, Array<const int32_t, 2> lut, Array<int32_t, 2> out, int threads,
          const std::string& isa, const std::string& fixed) {
  const Lut table = lut_of(lut);
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && k > 0, "shapes of a, b and out must agree");
  const Fixed operand = fixed_of(fixed);
  if (isa == "reference") {
    const nb::gil_scoped_release unlocked;
    reference_gemm(a.data(), b.data(), table, m, n, k, out.data());
    return;
  }
  const MakeRows make = path_of(isa);
  const nb::gil_scoped_release unlocked;
  table_gemm(a.data(), b.data(), table, m, n, k, threads, make, operand, Int32Sink::of_rows(out.data(), n));
}

Convolution shape_of(const Array<const uint8_t, 4>& a, const Array<const uint8_t, 4>& w, const Array<int32_t, 4>& out, Pair stride,
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

void conv2d(Array<const uint8_t, 4> a, Array<const uint8_t, 4> w, Array<const int32_t, 2> lut, Array<int32_t, 4> out, Pair stride,
            Sides padding, Pair dilation, int64_t groups, uint8_t pad_code, int threads, const std::string& isa,
            const std::string& fixed) {
  const Lut table = lut_of(lut);
  const Convolution shape = shape_of(a, w, out, stride, padding, dilation, groups, pad_code);
  const Fixed operand = fixed_of(fixed);
  if (isa == "reference") {
    const nb::gil_scoped_release unlocked;
    reference_conv(a.data(), w.data(), table, shape, out.data());
    return;
  }
  const MakeRows make = path_of(isa);
  const nb::gil_scoped_release unlocked;
  table_conv(CodeSource(a.data()), w.data(), table, shape, threads, make, operand,
             Int32Sink::of_planes(out.data(), shape.out_channels, shape.pixels()));
}

std::vector<std::string> isas() {
  std::vector<std::string> found;
  for (const char* isa : {"avx512", "scalar"}) {
    if (isa_supported(isa)) found.emplace_back(isa);
  }
  return found;
}

}  // namespace
}  // namespace inexact

NB_MODULE(_core, m) {
  m.doc() = "Compiled core of inexact.kernels: sums of table look-ups over uint8 codes.";
  m.def("isas", &inexact::isas, "Instruction-set paths this build and processor can run, fastest first.");
  m.def("gemm", &inexact::gemm, "a"_a, "b"_a, "lut"_a, "out"_a, "threads"_a, "isa"_a, "fixed"_a = "auto",
        "out[m, n] = sum over k of lut[a[m, k], b[n, k]].");
  m.def("conv2d", &inexact::conv2d, "a"_a, "w"_a, "lut"_a, "out"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "pad_code"_a,
        "threads"_a, "isa"_a, "fixed"_a = "auto", "Grouped convolution of codes through the table; padded positions hold pad_code.");
  inexact::bind_circuits(m);
  inexact::bind_layers(m);
}
