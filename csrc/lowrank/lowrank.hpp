// The lowrank engine: a table that is a sum of products of byte-valued factors,
//
//   lut[a, b] = offset[b] + sum over t of 2^(shift_t + shift_(t+1) + ...) * A_t[a] * B_t[b],
//
// so that sums of look-ups become integer matrix products of the mapped codes, four channels to a step (vpdpbusd). Everything is added
// modulo 2^32; the caller has certified that the true sums fit int32, so they are exact.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "inexact.hpp"

namespace inexact::lowrank {

struct Term {
  std::array<uint8_t, 256> a, b;  // bytes by code
  bool a_signed;                  // a's bytes are int8 and b's uint8; else a's are uint8 and b's int8
  int shift;                      // the sums of this term and those before it are then multiplied by 2^shift
};

struct Factors {
  std::vector<Term> terms;
  std::array<int32_t, 256> offset;  // by code of b
};

// Consecutive steps whose bytes have one meaning.
struct Segment {
  int64_t steps;
  int shift;
  bool stream_signed;  // the stream's bytes are int8 and the panel's uint8
};

// rows x positions sums: step k multiplies 4 bytes of each row of the panel by 4 bytes of each position of the stream.
struct Block {
  const uint8_t* panel;      // [steps][rows][4]
  const uint8_t* stream;     // step k: bytes offsets[k] + 4 p .. of position p
  const int64_t* offsets;    // of all segments, one after another
  const Segment* segments;
  int64_t segment_count;
  const int32_t* start;      // [rows], added to every sum of a row
};

// Up to four taps of one depthwise filter that lie near each other: at bytes base + reach[i] of the stream, reach <= kMostReach.
struct TapGroup {
  int64_t base;
  std::array<uint8_t, 4> reach;
  std::array<uint8_t, 64> index;  // 4 p + i: byte p + reach[i]
};

// One output channel of one input channel.
struct Filter {
  const uint8_t* const* streams;  // of each term: mapped bytes
  const TapGroup* groups;
  int64_t group_count;
  const uint8_t* weights;         // [terms][groups][4], zero where a group has fewer taps
  const Segment* segments;
  int64_t segment_count;
  int32_t start;
};

constexpr int64_t kMostReach = 48;
constexpr int64_t kMostRows = 14;   // of a panel
constexpr int64_t kPositions = 32;  // of one call of `sum`
constexpr int64_t kSlack = 4 * kPositions;  // bytes that may be read beyond a stream

// What an instruction set provides.
struct Path {
  // out[p] of a depthwise filter at positions first + p, p < positions rounded up to 64. May read kSlack bytes beyond what it needs.
  void (*filter)(const Filter& filter, int64_t first, int64_t positions, int32_t* out);

  // out[i] = map[codes[i]].
  void (*map)(const uint8_t* codes, int64_t count, const uint8_t* map, uint8_t* out);

  // out[(q * taps + t) * 4 + i] = w[(4 q + i) * taps + t] for q < quads, t < taps: four channels side by side.
  void (*regroup)(const uint8_t* w, int64_t quads, int64_t taps, uint8_t* out);

  // out[r * out_step + p] for r < rows <= kMostRows and p < positions rounded up to 16, positions <= kPositions.
  void (*sum)(const Block& block, int64_t rows, int64_t positions, int32_t* out, int64_t out_step);

  // The same sums for positions that lie anywhere: out[i * rows + r] of position places[i], in bytes. rows: a multiple of 16, at most 64.
  void (*scattered)(const Block& block, int64_t rows, const int64_t* places, int64_t count, int32_t* out);

  // out[4 p + i] = map[rows[i][p]], 0 <= p < count; a null row gives zeros.
  void (*interleave)(const uint8_t* const* rows, int64_t count, const uint8_t* map, uint8_t* out);

  // out[(k / 4) * out_step + 4 r + k % 4] = map[codes[r * row_step + k]] for r < rows <= 16, k < count; zero beyond count up to a whole step.
  void (*quads)(const uint8_t* codes, int64_t row_step, int64_t rows, int64_t count, const uint8_t* map, uint8_t* out, int64_t out_step);
};

extern const Path scalar_path;
extern const Path vnni_path;

bool path_supported(const std::string& isa);  // "avx512", "scalar"
const Path& path_for(const std::string& isa);
// The path that goes with an instruction set of the table engine: its own, else the portable one.
inline const Path& path_in(const std::string& isa) { return path_for(path_supported(isa) ? isa : "scalar"); }

// Sum of the offsets of `count` weight codes, modulo 2^32.
int32_t constant(const Factors& factors, const uint8_t* codes, int64_t count);

// Codes as for table_gemm and table_conv.
void gemm(const uint8_t* a, const uint8_t* b, const Factors& factors, int64_t m, int64_t n, int64_t k, int threads, const Path& path,
          const Sink& out);
void depthwise(const Source& a, const uint8_t* w, const Factors& factors, const Convolution& s, int threads, const Path& path,
               const Sink& out);
void conv(const Source& a, const uint8_t* w, const Factors& factors, const Convolution& s, int threads, const Path& path, const Sink& out);

// A table as the sum of a product, which factors give, and an error, which the table engine adds (its rows are bytes where it fits them).
struct Split {
  const Factors& product;
  const Table& error;
  const std::string& isa;  // an instruction set of the table engine
};

// Codes and results as for gemm and conv. The error's products are stacked, and those of the product are added as its totals are handed over.
void split_gemm(const uint8_t* a, const uint8_t* b, const Split& table, int64_t m, int64_t n, int64_t k, int threads, const Sink& out);
void split_conv(const Source& a, const uint8_t* w, const Split& table, const Convolution& s, int threads, const Sink& out);

}  // namespace inexact::lowrank
