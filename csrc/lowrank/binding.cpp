// Python face of the lowrank engine. inexact.kernels certifies tables and sums before these are called.
#include "lowrank/binding.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "arrays.hpp"
#include "drive/table.hpp"
#include "lowrank/lowrank.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact::lowrank {
namespace {

Factors factors_of(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, const std::vector<bool>& a_signed, const std::vector<int>& shifts,
                   Array<const int32_t, 1> offset) {
  const size_t terms = a_signed.size();
  require(terms > 0 && a.shape(0) == terms && b.shape(0) == terms && shifts.size() == terms, "terms must agree in number");
  require(a.shape(1) == 256 && b.shape(1) == 256 && offset.shape(0) == 256, "maps must have an entry for each of 256 codes");
  Factors factors;
  for (size_t t = 0; t < terms; ++t) {
    require(shifts[t] >= 0 && shifts[t] < 32, "shifts must be 0..31");
    Term term{};
    std::copy_n(a.data() + 256 * t, 256, term.a.begin());
    std::copy_n(b.data() + 256 * t, 256, term.b.begin());
    term.a_signed = a_signed[t];
    term.shift = shifts[t];
    factors.terms.push_back(term);
  }
  std::copy_n(offset.data(), 256, factors.offset.begin());
  return factors;
}

const Path& checked_path(const std::string& isa) {
  require(path_supported(isa), "this processor or build lacks the instruction set asked for");
  return path_for(isa);
}

void multiply(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, const Factors& factors, Array<int32_t, 2> out, int threads,
              const std::string& isa) {
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && m > 0 && n > 0 && k > 0, "shapes of a, b and out must agree");
  const Path& path = checked_path(isa);
  const nb::gil_scoped_release unlocked;
  gemm(a.data(), b.data(), factors, m, n, k, threads, path, Int32Sink::of_rows(out.data(), n));
}

void convolve(Array<const uint8_t, 4> a, Array<const uint8_t, 4> w, const Factors& factors, Array<int32_t, 4> out, Pair stride,
              Sides padding, Pair dilation, int64_t groups, uint8_t pad_code, int threads, const std::string& isa) {
  const Convolution shape = shape_of(a, w, out, stride, padding, dilation, groups, pad_code);
  const Path& path = checked_path(isa);
  const nb::gil_scoped_release unlocked;
  conv(CodeSource(a.data()), w.data(), factors, shape, threads, path,
       Int32Sink::of_planes(out.data(), shape.out_channels, shape.pixels()));
}

void multiply_split(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, const Factors& product, const Table& error,
                    Array<int32_t, 2> out, int threads, const std::string& isa) {
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && m > 0 && n > 0 && k > 0, "shapes of a, b and out must agree");
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
  const nb::gil_scoped_release unlocked;
  split_gemm(a.data(), b.data(), {product, error, isa}, m, n, k, threads, Int32Sink::of_rows(out.data(), n));
}

void convolve_split(Array<const uint8_t, 4> a, Array<const uint8_t, 4> w, const Factors& product, const Table& error,
                    Array<int32_t, 4> out, Pair stride, Sides padding, Pair dilation, int64_t groups, uint8_t pad_code, int threads,
                    const std::string& isa) {
  const Convolution shape = shape_of(a, w, out, stride, padding, dilation, groups, pad_code);
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
  const nb::gil_scoped_release unlocked;
  split_conv(CodeSource(a.data()), w.data(), {product, error, isa}, shape, threads,
             Int32Sink::of_planes(out.data(), shape.out_channels, shape.pixels()));
}

std::vector<std::string> isas() {
  std::vector<std::string> found;
  for (const char* isa : {"avx512", "scalar"}) {
    if (path_supported(isa)) found.emplace_back(isa);
  }
  return found;
}

}  // namespace

void bind(nb::module_& m) {
  nb::class_<Factors>(m, "Factors", "A table as a sum of products of byte-valued maps of the two codes.")
      .def("__init__", [](Factors* self, Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, const std::vector<bool>& a_signed,
                          const std::vector<int>& shifts, Array<const int32_t, 1> offset) {
        new (self) Factors(factors_of(a, b, a_signed, shifts, offset));
      }, "a"_a, "b"_a, "a_signed"_a, "shifts"_a, "offset"_a);
  m.def("lowrank_isas", &isas, "Instruction-set paths of the lowrank engine, fastest first.");
  m.def("lowrank_gemm", &multiply, "a"_a, "b"_a, "factors"_a, "out"_a, "threads"_a, "isa"_a,
        "out[m, n] = sum over k of the factors' table at (a[m, k], b[n, k]).");
  m.def("lowrank_conv2d", &convolve, "a"_a, "w"_a, "factors"_a, "out"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "pad_code"_a,
        "threads"_a, "isa"_a, "Grouped convolution of codes through the factors; padded positions hold pad_code.");
  m.def("split_gemm", &multiply_split, "a"_a, "b"_a, "product"_a, "error"_a, "out"_a, "threads"_a, "isa"_a,
        "lowrank_gemm through the factors of a product and a table of errors that is added to it.");
  m.def("split_conv2d", &convolve_split, "a"_a, "w"_a, "product"_a, "error"_a, "out"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a,
        "pad_code"_a, "threads"_a, "isa"_a, "lowrank_conv2d through the factors of a product and a table of errors that is added to it.");
}

}  // namespace inexact::lowrank
