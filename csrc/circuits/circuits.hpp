// Bit-parallel evaluation of gate-level netlists: bit k of a wire's words is the wire's value in lane k.
// Raw pointers and sizes; programs are checked by the binding before they come here.
#pragma once

#include <cstdint>

namespace inexact {

enum GateKind : int32_t { kNot, kAnd, kOr, kXor, kNand, kNor, kXnor, kMux, kHalf, kFull, kGateKinds };

// One cell on slots: out0 = f(in0, in1, in2), adders also out1 = carry. An output may be the slot of an input.
struct Gate {
  int32_t op, in0, in1, in2, out0, out1;
};

constexpr int64_t kWords = 32;             // 64-bit words of a slot
constexpr int64_t kLanes = 64 * kWords;    // operand tuples evaluated at once

// A netlist over slots of kWords words. Slot 0 holds zeros, slot 1 ones. inputs[i]: slot of input bit i, -1 when nothing reads it.
// outputs[i]: slot of result bit i; the result is two's complement when `negative` says so.
struct Program {
  const Gate* gates;
  int64_t count, slots;
  const int32_t* inputs;
  int64_t input_bits;
  const int32_t* outputs;
  int64_t output_bits;
  bool negative;
};

// Error statistics of one row (one value of operand a) over all values of operand b; weights w are 1 unless given.
struct ErrorRow {
  double errors;        // sum of w where error != 0
  double sum;           // sum of w * error
  double sum_abs;       // sum of w * |error|
  double sum_square;    // sum of w * error^2
  double largest;       // largest |error| where w > 0
  double relative;      // sum of w * |error|/|exact| where exact != 0
  double worst;         // largest |error|/|exact| where exact != 0 and w > 0
  double close;         // sum of w where exact != 0 and 50 |error| < |exact|
  double abs_at_zero;   // sum of w * |error| where exact == 0
  double zeros;         // sum of w where exact == 0
};
constexpr int64_t kErrorFields = sizeof(ErrorRow) / sizeof(double);

// One block of kLanes operand pairs (a, b0 + lane). weights: in the order of `error_order`, or null.
struct ErrorBlock {
  double a, b0;
  bool product;         // exact = a * b, else a + b
  const double* weights;
};

constexpr int64_t kErrorLanes = 8;
// Running sums of a row: the same fields, one per lane residue, so that every path adds in the same order.
struct alignas(64) ErrorSums {
  double field[kErrorFields][kErrorLanes];
};

// What a path for one instruction set provides. All paths give identical bits.
struct LanePath {
  // All gates, once, on slots[slot * kWords ...].
  void (*run)(const Program&, uint64_t* slots);
  // Results of all lanes in lane order.
  void (*values)(const Program&, const uint64_t* slots, int64_t* out);
  // Bits [0, bits) of kLanes words, as planes[bit * kWords ...]; bits <= 64.
  void (*planes)(const uint64_t* words, int64_t bits, uint64_t* planes);
  // Add the errors of all lanes.
  void (*errors)(const Program&, const uint64_t* slots, const ErrorBlock&, ErrorSums&);
  // Add the results of all lanes to `bits` planes of running sums, modulo 2^bits; bits >= output_bits.
  void (*accumulate)(const Program&, const uint64_t* slots, int64_t bits, uint64_t* sums);
};

const LanePath& scalar_lanes();
const LanePath& avx512_lanes();

// Lane (of kLanes) whose error `errors` takes at position i: weights are laid out by it.
int64_t error_order(const Program& program, int64_t i);

// Results for lane numbers first .. first + count: input bit i is bit positions[i] of the number.
void circuit_values(const Program& program, const LanePath& path, const int32_t* positions, uint64_t first, int64_t count, int threads, int64_t* out);

// Results for `count` operand tuples: operands[bus * count + lane], bus widths in order.
void circuit_evaluate(const Program& program, const LanePath& path, const uint64_t* operands, const int32_t* widths, int64_t buses, int64_t count,
                      int threads, int64_t* out);

// Least lane number below `count` in which the outputs differ, or -1.
int64_t circuit_difference(const Program& p, const Program& q, const LanePath& path, const int32_t* p_positions, const int32_t* q_positions,
                           uint64_t count, int threads);

// Errors of rows a = first_row .. first_row + rows against a * b or a + b. Input bits: operand a (a_bits), then b (b_bits >= 11).
struct ErrorTask {
  int64_t a_bits, b_bits;
  bool a_signed, b_signed, product;
  const double* weights;  // 2^b_bits by bit pattern of b, or null
};
void circuit_errors(const Program& program, const LanePath& path, const ErrorTask& task, int64_t first_row, int64_t rows, int threads, double* out);

// out[lane * lane_step + f * fixed_step] = sum over k of the result for (lanes[lane][k], fixed[f][k]), both operands [rows, depth].
// The lane operand's input bits begin at first_lane_bit, the other's at first_fixed_bit. The sums are exact when they fit `sum_bits`.
struct Sums {
  const uint64_t* lanes;
  const uint64_t* fixed;
  int64_t lane_rows, fixed_rows, depth;
  int64_t lane_bits, fixed_bits, first_lane_bit, first_fixed_bit;
  int64_t lane_step, fixed_step, sum_bits;
};
void circuit_sums(const Program& program, const LanePath& path, const Sums& sums, int threads, int64_t* out);

}  // namespace inexact
