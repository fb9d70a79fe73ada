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

#include "arrays.hpp"
#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "drive/table.hpp"
#include "inexact.hpp"
#include "layer/binding.hpp"
#include "lowrank/binding.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {

void bind_circuits(nb::module_& m);    // circuits/binding.cpp
void bind_sequential(nb::module_& m);  // sequential/binding.cpp
void bind_silicon(nb::module_& m);     // silicon/binding.cpp
void bind_evolution(nb::module_& m);   // evolution/binding.cpp

namespace {

Scheme scheme_of(const std::string& name) {
  if (name == "fix_weight") return Scheme::fix_weight;
  if (name == "fix_activation") return Scheme::fix_activation;
  if (name == "stack_activation") return Scheme::stack_activation;
  if (name == "stack_weight") return Scheme::stack_weight;
  require(name == "auto", "scheme must be 'auto', 'fix_weight', 'fix_activation', 'stack_activation' or 'stack_weight'");
  return Scheme::choose;
}

const Path& path_of(const std::string& isa) {
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
  return path_for(isa);
}

void gemm(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, const Table& table, Array<int32_t, 2> out, int threads,
          const std::string& isa, const std::string& scheme) {
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && k > 0, "shapes of a, b and out must agree");
  const Scheme forced = scheme_of(scheme);
  if (isa == "reference") {
    const nb::gil_scoped_release unlocked;
    reference_gemm(a.data(), b.data(), table.lut(), m, n, k, out.data());
    return;
  }
  const Path& path = path_of(isa);
  const nb::gil_scoped_release unlocked;
  table_gemm(a.data(), b.data(), table, m, n, k, threads, path, forced, Int32Sink::of_rows(out.data(), n));
}

void conv2d(Array<const uint8_t, 4> a, Array<const uint8_t, 4> w, const Table& table, Array<int32_t, 4> out, Pair stride,
            Sides padding, Pair dilation, int64_t groups, uint8_t pad_code, int threads, const std::string& isa,
            const std::string& scheme) {
  const Convolution shape = shape_of(a, w, out, stride, padding, dilation, groups, pad_code);
  const Scheme forced = scheme_of(scheme);
  require(forced != Scheme::stack_weight, "a convolution cannot stack the products of its weights");
  if (isa == "reference") {
    const nb::gil_scoped_release unlocked;
    reference_conv(a.data(), w.data(), table.lut(), shape, out.data());
    return;
  }
  const Path& path = path_of(isa);
  const nb::gil_scoped_release unlocked;
  table_conv(CodeSource(a.data()), w.data(), table, shape, threads, path, forced,
             Int32Sink::of_planes(out.data(), shape.out_channels, shape.pixels()));
}

void slopes(Array<const uint8_t, 2> a, Array<const uint8_t, 2> b, Array<const float, 2> g, Array<const float, 2> along_a,
            Array<const float, 2> along_b, Array<float, 2> by_a, Array<float, 2> by_b, int threads) {
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1);
  require(dim(along_a, 0) == dim(along_b, 0) && dim(along_a, 1) == dim(along_b, 1), "tables of slopes must agree");
  require(dim(b, 1) == k && dim(g, 0) == m && dim(g, 1) == n && k > 0, "shapes of a, b and g must agree");
  require(dim(by_a, 0) == m && dim(by_a, 1) == k && dim(by_b, 0) == n && dim(by_b, 1) == k, "shapes of the results must agree");
  const SlopeTables tables{along_a.data(), along_b.data(), dim(along_a, 0), dim(along_a, 1)};
  const nb::gil_scoped_release unlocked;
  slope_gemm(a.data(), b.data(), g.data(), tables, m, n, k, threads, by_a.data(), by_b.data());
}

std::vector<std::string> isas() {
  std::vector<std::string> found;
  for (const char* isa : {"avx512", "avx2", "scalar"}) {
    if (isa_supported(isa)) found.emplace_back(isa);
  }
  return found;
}

}  // namespace
}  // namespace inexact

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // caches of prepared factors live until the process ends, worker processes included
  m.doc() = "Compiled core of inexact.kernels: sums of table look-ups over uint8 codes.";
  m.def("isas", &inexact::isas, "Instruction-set paths this build and processor can run, fastest first.");
  nb::class_<inexact::Table>(m, "Table", "A copy of a table, and what the instruction sets prepare of it when first used.")
      .def("__init__", [](inexact::Table* self, inexact::Array<const int32_t, 2> lut) { new (self) inexact::Table(inexact::lut_of(lut)); }, "lut"_a);
  m.def("gemm", &inexact::gemm, "a"_a, "b"_a, "table"_a, "out"_a, "threads"_a, "isa"_a, "scheme"_a = "auto",
        "out[m, n] = sum over k of table[a[m, k], b[n, k]].");
  inexact::lowrank::bind(m);
  m.def("conv2d", &inexact::conv2d, "a"_a, "w"_a, "table"_a, "out"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "pad_code"_a,
        "threads"_a, "isa"_a, "scheme"_a = "auto", "Grouped convolution of codes through the table; padded positions hold pad_code.");
  m.def("slope_gemm", &inexact::slopes, "a"_a, "b"_a, "g"_a, "along_a"_a, "along_b"_a, "by_a"_a, "by_b"_a, "threads"_a,
        "Gradients of a sum of look-ups through the slopes of its table.");
  inexact::bind_circuits(m);
  inexact::bind_layers(m);
  inexact::bind_sequential(m);
  inexact::bind_silicon(m);
  inexact::bind_evolution(m);
}
