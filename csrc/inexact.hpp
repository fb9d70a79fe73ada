// What the parts of the core share. Raw pointers and sizes; no Python, no torch; results are allocated by the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace inexact {

class Sink;
class Source;
class Table;

// A table lut[a, b] of int32, a = activation code, b = weight code. Codes outside it are refused before the core is called.
struct Lut {
  const int32_t* values;
  int64_t rows;        // codes of a
  int64_t columns;     // codes of b
  int64_t row_step;    // elements between lut[a, b] and lut[a + 1, b]
  int64_t column_step; // elements between lut[a, b] and lut[a, b + 1]

  int32_t at(int64_t row, int64_t column) const { return values[row * row_step + column * column_step]; }
  Lut transposed() const { return {values, columns, rows, column_step, row_step}; }
};

// A grouped convolution. Bottom and right padding follow from out_h and out_w.
struct Convolution {
  int64_t batch, channels, height, width;
  int64_t out_channels, kernel_h, kernel_w, out_h, out_w;
  int64_t stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups;
  uint8_t pad_code;

  int64_t group_in() const { return channels / groups; }
  int64_t group_out() const { return out_channels / groups; }
  int64_t window() const { return group_in() * kernel_h * kernel_w; }
  int64_t pixels() const { return out_h * out_w; }
};

// A table prepared so that one operand is fixed: row `code` holds the 256 products of that code.
class RowTable {
 public:
  virtual ~RowTable() = default;

  // out[p] = sum over k of table[codes[k]][stream[offsets[k] + p]], 0 <= p < length; modulo 2^32.
  // Reads nothing outside stream[offsets[k] .. offsets[k] + length).
  virtual void sum(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length,
                   int32_t* out) const = 0;
};

// Time of RowTable::sum for each element of codes, in processor cycles: `start` and, for each `vector` products begun, `each`.
struct RowCost {
  int64_t block;  // preferred length of one call
  int64_t vector;
  double start, each;

  double call(int64_t length) const { return start + each * static_cast<double>((length + vector - 1) / vector); }
};

// A block of outputs with their weights, tap by tap: what a Stack is built for. Output o has weights[o * step + k] at tap k.
struct Taps {
  const uint8_t* weights;
  int64_t step;
  int64_t outputs;  // at most Stack::lanes()
  int64_t count;    // taps
};

// Products stacked by code: at each tap, the products of one code with the weights of a whole block of outputs lie side by side as one
// row, so that an output vector costs one load and one addition a tap, whatever the table. The rows of a few taps fit the cache.
// The rows of the Lut it is made from are the codes, the columns the weights.
class Stack {
 public:
  virtual ~Stack() = default;

  static constexpr int64_t kPlaces = 64;        // most places that by_output takes at once
  static constexpr int64_t kMostWaiting = 256;  // most taps that `add` may be given between two calls of `settle`

  virtual int64_t lanes() const = 0;  // outputs of a block; a place has as many totals
  virtual int64_t bytes(int64_t taps) const = 0;
  virtual int64_t waiting_bytes() const { return 0; }  // of sums that a place keeps beside its totals until they are settled

  // Stacks taps [0, taps.count). `rows`: bytes(taps.count), aligned to 64 bytes.
  virtual void build(const Taps& taps, uint8_t* rows) const = 0;

  // What the totals of every place must begin with, for all taps of a window. totals[lanes()].
  virtual void begin(const Taps& window, int32_t* totals) const = 0;

  // totals[p][..] += the row of code codes[offsets[k] + places[p]] at every tap k < taps; modulo 2^32. Aligned to 64 bytes.
  // `waiting`, [waiting_bytes()] a place, is zero at first; what it holds belongs to the totals.
  virtual void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                   int64_t count, uint8_t* waiting, int32_t* totals) const = 0;

  // Moves what waits to the totals, and leaves zeros.
  virtual void settle(uint8_t* /*waiting*/, int64_t /*count*/, int32_t* /*totals*/) const {}

  // totals[p][..] += sums[p * lanes() + o]; modulo 2^32.
  virtual void take(const int32_t* sums, int64_t count, int32_t* totals) const = 0;

  // The totals of `count` <= kPlaces places: out[o * kPlaces + p], or out[p * lanes() + o]. Aligned to 64 bytes.
  virtual void by_output(const int32_t* totals, int64_t count, int32_t* out) const = 0;
  virtual void by_place(const int32_t* totals, int64_t count, int32_t* out) const = 0;
};

// Time of a Stack in processor cycles: to build one row, to add one row, to hand over one place.
struct StackCost {
  int64_t lanes;
  double build, add, finish;
};

// What one instruction set provides. `span` is the greatest difference of two products of one row (of one column for a stack); `outputs`
// is how many a stack has to serve.
class Path {
 public:
  virtual ~Path() = default;
  virtual std::unique_ptr<RowTable> rows(const Lut& lut) const = 0;
  virtual RowCost row_cost(uint32_t span) const = 0;
  virtual std::unique_ptr<Stack> stack(const Lut& lut, int64_t outputs) const = 0;
  virtual StackCost stack_cost(uint32_t span, int64_t outputs) const = 0;
};

const Path& scalar_path();
const Path& avx2_path();
const Path& avx512_path();

bool isa_supported(const std::string& isa);
const Path& path_for(const std::string& isa);

void reference_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, int64_t m, int64_t n, int64_t k, int32_t* out);
void reference_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Convolution& shape, int32_t* out);

// How sums are formed: decided by cost, or forced (tests run all). A weight or an activation fixed (RowTable), or the products of all
// activation codes, or of all weight codes, stacked (Stack; of weight codes in matrix products only).
enum class Scheme { choose, fix_weight, fix_activation, stack_activation, stack_weight };

// Codes come from a Source (drive/source.hpp), finished sums go to a Sink (drive/sink.hpp), products are those of a Table (drive/table.hpp).
void table_gemm(const uint8_t* a, const uint8_t* b, const Table& table, int64_t m, int64_t n, int64_t k, int threads, const Path& path,
                Scheme scheme, const Sink& out);
void table_conv(const Source& a, const uint8_t* w, const Table& table, const Convolution& shape, int threads, const Path& path,
                Scheme scheme, const Sink& out);

// Slopes of a table along a and along b, float32 [rows, columns] = [codes of a, codes of b].
struct SlopeTables {
  const float* along_a;
  const float* along_b;
  int64_t rows, columns;
};

// by_a[m, k] = sum over n of g[m, n] along_a[a[m, k], b[n, k]]; by_b[n, k] = sum over m of g[m, n] along_b[a[m, k], b[n, k]].
void slope_gemm(const uint8_t* a, const uint8_t* b, const float* g, const SlopeTables& tables, int64_t m, int64_t n, int64_t k, int threads,
                float* by_a, float* by_b);

}  // namespace inexact
