// What the parts of the core share. Raw pointers and sizes; no Python, no torch; results are allocated by the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace inexact {

class Sink;
class Source;

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

  // Relative time of `sum` for each element of codes, for one call of this length.
  virtual double cost(int64_t length) const = 0;

  // Preferred length of one call.
  virtual int64_t block() const = 0;
};

// What a path for one instruction set provides; `rows` of the Lut are the fixed operand.
using MakeRows = std::unique_ptr<RowTable> (*)(const Lut&);

std::unique_ptr<RowTable> scalar_rows(const Lut& lut);
std::unique_ptr<RowTable> avx512_rows(const Lut& lut);

bool isa_supported(const std::string& isa);
MakeRows rows_for(const std::string& isa);

void reference_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, int64_t m, int64_t n, int64_t k, int32_t* out);
void reference_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Convolution& shape, int32_t* out);

// Which operand is fixed: decided by cost, or forced (tests run both).
enum class Fixed { choose, weight, activation };

// Codes come from a Source (drive/source.hpp), finished sums go to a Sink (drive/sink.hpp).
void table_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, int64_t m, int64_t n, int64_t k, int threads, MakeRows make,
                Fixed fixed, const Sink& out);
void table_conv(const Source& a, const uint8_t* w, const Lut& lut, const Convolution& shape, int threads, MakeRows make,
                Fixed fixed, const Sink& out);

}  // namespace inexact
