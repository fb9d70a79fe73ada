// Python face of the bit-parallel simulator. A program is checked here completely: nothing later looks at a slot number again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "circuits/circuits.hpp"
#include "inexact.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {
namespace {

template <typename T, size_t N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

template <typename A>
int64_t dim(const A& array, size_t axis) {
  return static_cast<int64_t>(array.shape(axis));
}

constexpr int kMaxThreads = 4096;

// A program that owns its arrays.
class Compiled {
 public:
  Compiled(Array<const int32_t, 2> gates, int64_t slots, Array<const int32_t, 1> inputs, Array<const int32_t, 1> outputs, bool negative)
      : inputs_(inputs.data(), inputs.data() + dim(inputs, 0)), outputs_(outputs.data(), outputs.data() + dim(outputs, 0)) {
    require(dim(gates, 1) == 6, "gates must have six columns");
    require(slots >= 2 && slots < (int64_t{1} << 24), "slots must be 2..2^24");
    require(!outputs_.empty() && outputs_.size() <= 64, "a result must have 1..64 bits");
    for (int64_t i = 0; i < dim(gates, 0); ++i) gates_.push_back(checked(gates.data() + 6 * i, slots));
    for (const int32_t slot : inputs_) require(slot >= -1 && slot != 0 && slot != 1 && slot < slots, "an input has no slot");
    for (const int32_t slot : outputs_) require(slot >= 0 && slot < slots, "an output has no slot");
    program_ = {gates_.data(), dim(gates, 0), slots, inputs_.data(), static_cast<int64_t>(inputs_.size()), outputs_.data(),
                static_cast<int64_t>(outputs_.size()), negative};
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;

  const Program& program() const { return program_; }

 private:
  static Gate checked(const int32_t* row, int64_t slots) {
    const Gate gate{row[0], row[1], row[2], row[3], row[4], row[5]};
    const bool adder = gate.op == kHalf || gate.op == kFull;
    require(gate.op >= 0 && gate.op < kGateKinds, "unknown kind of gate");
    for (int i = 1; i < 4; ++i) require(row[i] >= 0 && row[i] < slots, "a gate reads no slot");
    require(gate.out0 >= 2 && gate.out0 < slots, "a gate must not write a constant");
    require(!adder || (gate.out1 >= 2 && gate.out1 < slots && gate.out1 != gate.out0), "an adder must write two slots");
    return gate;
  }

  std::vector<Gate> gates_;
  std::vector<int32_t> inputs_, outputs_;
  Program program_{};
};

const LanePath& lanes_of(const std::string& isa) {
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
#ifdef INEXACT_AVX512
  if (isa == "avx512" && __builtin_cpu_supports("avx512dq")) return avx512_lanes();
#endif
  return scalar_lanes();
}

void check_positions(const Program& p, const Array<const int32_t, 1>& positions) {
  require(dim(positions, 0) == p.input_bits, "one position per input bit");
  for (int64_t i = 0; i < p.input_bits; ++i) require(positions.data()[i] >= 0 && positions.data()[i] < 63, "positions must be 0..62");
}

int checked_threads(int threads) {
  require(threads >= 1 && threads <= kMaxThreads, "threads must be 1..4096");
  return threads;
}

void values(const Compiled& c, Array<const int32_t, 1> positions, uint64_t first, Array<int64_t, 1> out, int threads, const std::string& isa) {
  check_positions(c.program(), positions);
  const LanePath& path = lanes_of(isa);
  const nb::gil_scoped_release unlocked;
  circuit_values(c.program(), path, positions.data(), first, dim(out, 0), checked_threads(threads), out.data());
}

void evaluate(const Compiled& c, Array<const uint64_t, 2> operands, Array<const int32_t, 1> widths, Array<int64_t, 1> out, int threads,
              const std::string& isa) {
  int64_t bits = 0;
  for (int64_t i = 0; i < dim(widths, 0); ++i) {
    require(widths.data()[i] >= 1 && widths.data()[i] <= 64, "a bus has 1..64 bits");
    bits += widths.data()[i];
  }
  require(bits == c.program().input_bits && dim(operands, 0) == dim(widths, 0) && dim(operands, 1) == dim(out, 0), "shapes must agree");
  const LanePath& path = lanes_of(isa);
  const nb::gil_scoped_release unlocked;
  circuit_evaluate(c.program(), path, operands.data(), widths.data(), dim(widths, 0), dim(out, 0), checked_threads(threads), out.data());
}

int64_t difference(const Compiled& c, const Compiled& d, Array<const int32_t, 1> c_positions, Array<const int32_t, 1> d_positions, uint64_t count,
                   int threads, const std::string& isa) {
  check_positions(c.program(), c_positions);
  check_positions(d.program(), d_positions);
  require(c.program().output_bits == d.program().output_bits, "results must have equally many bits");
  require(count > 0 && count < (uint64_t{1} << 62), "too many lanes");
  const LanePath& path = lanes_of(isa);
  const nb::gil_scoped_release unlocked;
  return circuit_difference(c.program(), d.program(), path, c_positions.data(), d_positions.data(), count, checked_threads(threads));
}

void errors(const Compiled& c, int64_t a_bits, bool a_signed, int64_t b_bits, bool b_signed, bool product, int64_t first_row,
            std::optional<Array<const double, 1>> weights, Array<double, 2> out, int threads, const std::string& isa) {
  require(a_bits >= 1 && a_bits + b_bits == c.program().input_bits && a_bits + b_bits <= 48, "operand bits must be those of the circuit");
  require(b_bits >= 11 + static_cast<int>(b_signed), "operand b must have 11 bits (12 when signed)");
  require(c.program().output_bits <= 50, "results must be exact in double precision");
  require(dim(out, 1) == kErrorFields && first_row >= 0 && first_row + dim(out, 0) <= (int64_t{1} << a_bits), "rows must exist");
  require(!weights || dim(*weights, 0) == (int64_t{1} << b_bits), "one weight per value of b");
  const ErrorTask task{a_bits, b_bits, a_signed, b_signed, product, weights ? weights->data() : nullptr};
  const LanePath& path = lanes_of(isa);
  const nb::gil_scoped_release unlocked;
  circuit_errors(c.program(), path, task, first_row, dim(out, 0), checked_threads(threads), out.data());
}

void gemm(const Compiled& c, Array<const uint64_t, 2> a, Array<const uint64_t, 2> b, int64_t a_bits, int64_t sum_bits, Array<int64_t, 2> out,
          int threads, const std::string& isa) {
  const Program& p = c.program();
  const int64_t m = dim(a, 0), n = dim(b, 0), k = dim(a, 1), b_bits = p.input_bits - a_bits;
  require(a_bits >= 1 && a_bits <= 64 && b_bits >= 1 && b_bits <= 64, "operand bits must be those of the circuit");
  require(dim(b, 1) == k && dim(out, 0) == m && dim(out, 1) == n && m > 0 && n > 0 && k > 0, "shapes of a, b and out must agree");
  require(sum_bits >= p.output_bits && sum_bits <= 64, "sums must have as many bits as results, at most 64");
  // lanes run along the longer operand: a short one would leave most of them idle
  const Sums sums = m >= n ? Sums{a.data(), b.data(), m, n, k, a_bits, b_bits, 0, a_bits, n, 1, sum_bits}
                           : Sums{b.data(), a.data(), n, m, k, b_bits, a_bits, a_bits, 0, 1, n, sum_bits};
  const LanePath& path = lanes_of(isa);
  const nb::gil_scoped_release unlocked;
  circuit_sums(p, path, sums, checked_threads(threads), out.data());
}

}  // namespace

void bind_circuits(nb::module_& m) {
  nb::class_<Compiled>(m, "Program", "A netlist over slots: gates [n, 6] = kind, three input slots, two output slots.")
      .def(nb::init<Array<const int32_t, 2>, int64_t, Array<const int32_t, 1>, Array<const int32_t, 1>, bool>(), "gates"_a, "slots"_a,
           "inputs"_a, "outputs"_a, "signed"_a);
  m.def("circuit_values", &values, "program"_a, "positions"_a, "first"_a, "out"_a, "threads"_a, "isa"_a,
        "Results for consecutive lane numbers; input bit i is bit positions[i] of the number.");
  m.def("circuit_evaluate", &evaluate, "program"_a, "operands"_a, "widths"_a, "out"_a, "threads"_a, "isa"_a,
        "Results for operand patterns [buses, n].");
  m.def("circuit_difference", &difference, "p"_a, "q"_a, "p_positions"_a, "q_positions"_a, "count"_a, "threads"_a, "isa"_a,
        "Least lane number below count in which two programs differ, or -1.");
  m.def("circuit_gemm", &gemm, "program"_a, "a"_a, "b"_a, "a_bits"_a, "sum_bits"_a, "out"_a, "threads"_a, "isa"_a,
        "out[m, n] = sum over k of the circuit's result for the patterns a[m, k], b[n, k].");
  m.def("circuit_errors", &errors, "program"_a, "a_bits"_a, "a_signed"_a, "b_bits"_a, "b_signed"_a, "product"_a, "first_row"_a,
        "weights"_a.none(), "out"_a, "threads"_a, "isa"_a, "Error statistics [rows, 10] of consecutive values of a, over all values of b.");
}

}  // namespace inexact
