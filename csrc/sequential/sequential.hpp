// Sums through an adder that need not be exact, in a declared order. The words are those of inexact.core.accumulation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "inexact.hpp"

namespace inexact {

// Which bits an adder forms. `low`: bits of the lower part; `step`, `reach`: of a segmented adder.
enum class Bits { exact, truncated, lower_or, lower_or_carry, copied, saturated, segmented };

struct Adder {
  Bits bits;
  int low, step, reach;
};

// A two's complement accumulator of `width` bits, 2..32. Products of one group are added to one another by a chain that starts at 0 or by
// a balanced tree; the last group is filled with zeros, which are added. Groups are added to the accumulator in order; it starts at 0.
struct Accumulation {
  Adder adder;
  int width;
  bool saturate;
  bool chained;   // else a tree, and `group` is a power of two
  int64_t group;  // at least 1
};

// One operand fixed, as in RowTable, but the products are added one by one.
class Sequence {
 public:
  virtual ~Sequence() = default;

  // out[p] = the accumulator after the products table[codes[k]][stream[offsets[k] + p]], k = 0 .. count - 1; 0 <= p < length.
  // Reads nothing outside stream[offsets[k] .. offsets[k] + length).
  virtual void sum(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length,
                   int32_t* out) const = 0;

  // Outputs computed together.
  virtual int64_t block() const = 0;
};

using MakeSequence = std::unique_ptr<Sequence> (*)(const Lut&, const Accumulation&);

std::unique_ptr<Sequence> scalar_sequence(const Lut& lut, const Accumulation& accumulation);
std::unique_ptr<Sequence> avx512_sequence(const Lut& lut, const Accumulation& accumulation);
MakeSequence sequence_for(const std::string& isa);

void reference_sequential_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, const Accumulation& accumulation, int64_t m, int64_t n,
                               int64_t k, int32_t* out);
void reference_sequential_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Accumulation& accumulation,
                               const Convolution& shape, int32_t* out);

void sequential_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, const Accumulation& accumulation, int64_t m, int64_t n, int64_t k,
                     int threads, MakeSequence make, int32_t* out);
void sequential_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Accumulation& accumulation, const Convolution& shape,
                     int threads, MakeSequence make, int32_t* out);

}  // namespace inexact
