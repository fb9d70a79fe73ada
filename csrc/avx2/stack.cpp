// AVX2 path, products stacked by code (inexact.hpp): rows of 32 outputs in 16 bits, less the least product of the output's weight and
// centred. vpmaddwd with (1, 0) and (0, 1) separates even and odd words, widened. Tables whose columns span more than 16 bits, and rows of
// a fixed operand, are served by the portable loops: 256 entries from sixteen vpshufb a plane, or from gathers, were no faster.
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "drive/memory.hpp"
#include "drive/spans.hpp"
#include "inexact.hpp"
#include "scalar/rows.hpp"

namespace inexact {
namespace {

constexpr int64_t kCodes = 256;
constexpr int64_t kLanes = 32;
constexpr int64_t kRow = 64;  // bytes of a row

// One line apart from a power of two: the rows that one code has in all taps would else share a set of the cache.
int64_t tap_bytes(int64_t codes) { return codes * kRow + kRow; }

// Where the totals of output `o` stand: even and odd outputs of each half apart.
int64_t lane_of(int64_t o) { return o / 16 * 16 + o % 2 * 8 + o % 16 / 2; }

// Transposes 8 x 8 words: rows[i] of 8 codes to out + code * kRow.
inline void transpose_8x8_words(const int16_t* const* rows, int64_t code, uint8_t* out) {
  __m128i r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm_load_si128(reinterpret_cast<const __m128i*>(rows[i] + code));
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm_unpacklo_epi32(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm_unpackhi_epi32(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm_unpacklo_epi32(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm_unpackhi_epi32(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    _mm_store_si128(reinterpret_cast<__m128i*>(out + 2 * i * kRow), _mm_unpacklo_epi64(r[i], r[4 + i]));
    _mm_store_si128(reinterpret_cast<__m128i*>(out + (2 * i + 1) * kRow), _mm_unpackhi_epi64(r[i], r[4 + i]));
  }
}

template <int N>
inline void add_places(const uint8_t* rows, int64_t step, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                       int32_t* totals) {
  const __m256i take_even = _mm256_set1_epi32(1), take_odd = _mm256_set1_epi32(1 << 16);
  __m256i sum[N][4];
  for (int n = 0; n < N; ++n) {
    for (int q = 0; q < 4; ++q) sum[n][q] = _mm256_load_si256(reinterpret_cast<const __m256i*>(totals + n * kLanes + 8 * q));
  }
  for (int64_t k = 0; k < taps; ++k) {
    const uint8_t* tap = codes + offsets[k];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      const auto* row = reinterpret_cast<const __m256i*>(rows + k * step + tap[places[n]] * kRow);
      const __m256i first = _mm256_load_si256(row), second = _mm256_load_si256(row + 1);
      sum[n][0] = _mm256_add_epi32(sum[n][0], _mm256_madd_epi16(first, take_even));
      sum[n][1] = _mm256_add_epi32(sum[n][1], _mm256_madd_epi16(first, take_odd));
      sum[n][2] = _mm256_add_epi32(sum[n][2], _mm256_madd_epi16(second, take_even));
      sum[n][3] = _mm256_add_epi32(sum[n][3], _mm256_madd_epi16(second, take_odd));
    }
  }
  for (int n = 0; n < N; ++n) {
    for (int q = 0; q < 4; ++q) _mm256_store_si256(reinterpret_cast<__m256i*>(totals + n * kLanes + 8 * q), sum[n][q]);
  }
}

class Avx2Stack final : public Stack {
 public:
  Avx2Stack(const Lut& lut, const std::vector<int32_t>& least) : codes_(lut.rows), pitch_((lut.rows + 7) / 8 * 8), least_(least) {
    memory_ = aligned_bytes(kCodes * pitch_ * 2);
    auto* words = reinterpret_cast<int16_t*>(memory_.get());
    std::fill(words, words + kCodes * pitch_, int16_t{0});
    for (int64_t b0 = 0; b0 < lut.columns; b0 += 16) {  // whichever way the table lies, what is read and written stays in L1
      for (int64_t a = 0; a < lut.rows; ++a) {
        for (int64_t b = b0; b < std::min(b0 + 16, lut.columns); ++b) {
          const uint32_t rest = static_cast<uint32_t>(lut.at(a, b)) - static_cast<uint32_t>(least_[b]);
          words[b * pitch_ + a] = static_cast<int16_t>(static_cast<int32_t>(rest) - 0x8000);
        }
      }
    }
  }

  int64_t lanes() const override { return kLanes; }
  int64_t bytes(int64_t taps) const override { return taps * tap_bytes(pitch_); }

  void begin(const Taps& window, int32_t* totals) const override {
    for (int64_t o = 0; o < kLanes; ++o) {
      uint32_t sum = 0;
      for (int64_t k = 0; o < window.outputs && k < window.count; ++k) {
        sum += static_cast<uint32_t>(least_[window.weights[o * window.step + k]]) + 0x8000u;
      }
      totals[lane_of(o)] = static_cast<int32_t>(sum);
    }
  }

  void build(const Taps& taps, uint8_t* rows) const override {
    const auto* words = reinterpret_cast<const int16_t*>(memory_.get());
    for (int64_t k = 0; k < taps.count; ++k) {
      for (int64_t o = 0; o < kLanes; o += 8) {
        const int16_t* source[8];
        for (int64_t i = 0; i < 8; ++i) source[i] = words + (o + i < taps.outputs ? taps.weights[(o + i) * taps.step + k] : 0) * pitch_;
        for (int64_t code = 0; code < pitch_; code += 8) transpose_8x8_words(source, code, rows + k * tap_bytes(pitch_) + code * kRow + 2 * o);
      }
    }
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           uint8_t*, int32_t* totals) const override {
    const int64_t step = tap_bytes(pitch_);
    int64_t p = 0;
    for (; p + 2 <= count; p += 2) add_places<2>(rows, step, taps, codes, offsets, places + p, totals + p * kLanes);
    for (; p < count; ++p) add_places<1>(rows, step, taps, codes, offsets, places + p, totals + p * kLanes);
  }

  void take(const int32_t* sums, int64_t count, int32_t* totals) const override {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t o = 0; o < kLanes; ++o) {
        int32_t& total = totals[p * kLanes + lane_of(o)];
        total = static_cast<int32_t>(static_cast<uint32_t>(total) + static_cast<uint32_t>(sums[p * kLanes + o]));
      }
    }
  }

  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t o = 0; o < kLanes; ++o) {
      for (int64_t p = 0; p < count; ++p) out[o * kPlaces + p] = totals[p * kLanes + lane_of(o)];
    }
  }

  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t o = 0; o < kLanes; ++o) out[p * kLanes + o] = totals[p * kLanes + lane_of(o)];
    }
  }

 private:
  int64_t codes_, pitch_;  // codes of the table, and rounded up to whole vectors
  std::vector<int32_t> least_;
  Bytes memory_;  // [256 weights][pitch] words
};

class Avx2Path final : public Path {
 public:
  std::unique_ptr<RowTable> rows(const Lut& lut) const override { return scalar_rows(lut); }
  RowCost row_cost(uint32_t) const override { return scalar_row_cost(); }

  std::unique_ptr<Stack> stack(const Lut& lut, int64_t outputs) const override {
    const Columns columns = columns_of(lut);
    if (columns.span >> 16) return scalar_path().stack(lut, outputs);
    return std::make_unique<Avx2Stack>(lut, columns.least);
  }

  StackCost stack_cost(uint32_t span, int64_t outputs) const override {
    if (span >> 16) return scalar_path().stack_cost(span, outputs);
    return {kLanes, 8.0, 3.2, 40.0};
  }
};

}  // namespace

const Path& avx2_path() {
  static const Avx2Path path;
  return path;
}

}  // namespace inexact
