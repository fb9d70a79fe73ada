// AVX-512 path, products stacked by code (inexact.hpp).
//
// A row is 64 bytes: the products of one code with 32 outputs in 16 bits each, less the least product of the output's weight and centred,
// or with 16 outputs in 32 bits where 16 do not suffice. Rows of some sixteen taps, 256 codes each, stay in L2, and every place and tap
// loads one of them. vpdpwssd with (1, 0) and (0, 1) adds the even and the odd words of a row to 32-bit totals: nothing can overflow early.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "avx512/shuffles.hpp"
#include "avx512/stack.hpp"
#include "drive/memory.hpp"
#include "drive/spans.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

constexpr int64_t kWords = 32;  // outputs of a row of words
constexpr int64_t kWides = 16;  // outputs of a row of 32-bit products

// Weights of the taps, tap by tap, `lanes` to a tap; outputs that do not exist get code 0.
std::vector<uint8_t> by_tap(const Taps& taps, int64_t lanes) {
  std::vector<uint8_t> weights(static_cast<size_t>(taps.count * lanes), 0);
  for (int64_t o = 0; o < taps.outputs; ++o) {
    for (int64_t k = 0; k < taps.count; ++k) weights[k * lanes + o] = taps.weights[o * taps.step + k];
  }
  return weights;
}

// Places whose totals are in registers at once, so that one tap's address serves all of them.
template <int N>
inline void add_words(const uint8_t* rows, int64_t step, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                      int32_t* totals) {
  const __m512i take_even = _mm512_set1_epi32(1), take_odd = _mm512_set1_epi32(1 << 16);
  __m512i even[N], odd[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    even[n] = _mm512_load_si512(totals + n * kWords);
    odd[n] = _mm512_load_si512(totals + n * kWords + 16);
  }
#pragma GCC unroll 2
  for (int64_t k = 0; k < taps; ++k) {
    const uint8_t* tap = codes + offsets[k];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const __m512i row = _mm512_load_si512(rows + k * step + tap[places[n]] * kRow);
      even[n] = _mm512_dpwssd_epi32(even[n], row, take_even);
      odd[n] = _mm512_dpwssd_epi32(odd[n], row, take_odd);
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    _mm512_store_si512(totals + n * kWords, even[n]);
    _mm512_store_si512(totals + n * kWords + 16, odd[n]);
  }
}

template <int N>
inline void add_wides(const uint8_t* rows, int64_t step, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                      int32_t* totals) {
  __m512i sum[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) sum[n] = _mm512_load_si512(totals + n * kWides);
  for (int64_t k = 0; k < taps; ++k) {
    const uint8_t* tap = codes + offsets[k];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[n] = _mm512_add_epi32(sum[n], _mm512_load_si512(rows + k * step + tap[places[n]] * kRow));
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) _mm512_store_si512(totals + n * kWides, sum[n]);
}

class WordStack final : public Stack {
 public:
  WordStack(const Lut& lut, std::vector<int32_t> least) : codes_(lut.rows), columns_(lut.columns), least_(std::move(least)) {
    planes_ = aligned_bytes(codes_ * 2 * kCodes);
    std::memset(planes_.get(), 0, static_cast<size_t>(codes_ * 2 * kCodes));
    for (int64_t b0 = 0; b0 < lut.columns; b0 += 16) {  // whichever way the table lies, what is read and written stays in L1
      for (int64_t a = 0; a < lut.rows; ++a) {
        uint8_t* plane = planes_.get() + a * 2 * kCodes;
        for (int64_t b = b0; b < std::min(b0 + 16, lut.columns); ++b) {
          const uint32_t rest = static_cast<uint32_t>(lut.at(a, b)) - static_cast<uint32_t>(least_[b]) - 0x8000u;
          plane[b] = static_cast<uint8_t>(rest);
          plane[kCodes + b] = static_cast<uint8_t>(rest >> 8);
        }
      }
    }
  }

  int64_t lanes() const override { return kWords; }
  int64_t bytes(int64_t taps) const override { return taps * tap_bytes(codes_); }

  void begin(const Taps& window, int32_t* totals) const override {
    for (int64_t o = 0; o < kWords; ++o) {
      uint32_t sum = 0;
      for (int64_t k = 0; o < window.outputs && k < window.count; ++k) {
        sum += static_cast<uint32_t>(least_[window.weights[o * window.step + k]]) + 0x8000u;
      }
      totals[o % 2 * 16 + o / 2] = static_cast<int32_t>(sum);
    }
  }

  void build(const Taps& taps, uint8_t* rows) const override {
    with_vectors(columns_, [&](auto vectors) { build_as<decltype(vectors)::value>(taps, rows); });
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           uint8_t*, int32_t* totals) const override {
    const int64_t step = tap_bytes(codes_);
    int64_t p = 0;
    for (; p + 4 <= count; p += 4) add_words<4>(rows, step, taps, codes, offsets, places + p, totals + p * kWords);
    for (; p < count; ++p) add_words<1>(rows, step, taps, codes, offsets, places + p, totals + p * kWords);
  }

  void take(const int32_t* sums, int64_t count, int32_t* totals) const override {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int64_t p = 0; p < count; ++p, sums += kWords, totals += kWords) {
      const __m512i first = _mm512_load_si512(sums), second = _mm512_load_si512(sums + 16);
      _mm512_store_si512(totals, _mm512_add_epi32(_mm512_load_si512(totals), _mm512_permutex2var_epi32(first, even, second)));
      _mm512_store_si512(totals + 16, _mm512_add_epi32(_mm512_load_si512(totals + 16), _mm512_permutex2var_epi32(first, odd, second)));
    }
  }

  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override {
    transpose_lanes(totals, kWords, 0, count, out, 2 * kPlaces);
    transpose_lanes(totals, kWords, 16, count, out + kPlaces, 2 * kPlaces);
  }

  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override {
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    for (int64_t p = 0; p < count; ++p) {
      const __m512i even = _mm512_load_si512(totals + p * kWords), odd = _mm512_load_si512(totals + p * kWords + 16);
      _mm512_store_si512(out + p * kWords, _mm512_permutex2var_epi32(even, first, odd));
      _mm512_store_si512(out + p * kWords + 16, _mm512_permutex2var_epi32(even, second, odd));
    }
  }

 private:
  // Two taps are looked up together. Their weights are laid so that interleaving low and high bytes brings the outputs in order.
  template <int Q>
  void build_as(const Taps& taps, uint8_t* rows) const {
    const int64_t pairs = (taps.count + 1) / 2, step = tap_bytes(codes_);
    const auto weights = aligned_bytes(pairs * kRow);
    std::memset(weights.get(), 0, static_cast<size_t>(pairs * kRow));
    for (int64_t o = 0; o < taps.outputs; ++o) {
      const int64_t lane = (o / 8 % 2) * 16 + (o / 16) * 8 + o % 8;
      for (int64_t k = 0; k < taps.count; ++k) weights[k * kWords + lane] = taps.weights[o * taps.step + k];
    }
    for (int64_t code = 0; code < codes_; ++code) {
      __m512i low[4], high[4];
      for (int q = 0; q < Q; ++q) {
        low[q] = _mm512_load_si512(planes_.get() + code * 2 * kCodes + q * 64);
        high[q] = _mm512_load_si512(planes_.get() + code * 2 * kCodes + kCodes + q * 64);
      }
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const __m512i index = _mm512_load_si512(weights.get() + pair * kRow);
        const __mmask64 upper = _mm512_movepi8_mask(index);
        const __m512i lows = look_up<Q>(low, index, upper), highs = look_up<Q>(high, index, upper);
        const __m512i front = _mm512_unpacklo_epi8(lows, highs), back = _mm512_unpackhi_epi8(lows, highs);
        uint8_t* row = rows + 2 * pair * step + code * kRow;
        _mm256_store_si256(reinterpret_cast<__m256i*>(row), _mm512_castsi512_si256(front));
        _mm256_store_si256(reinterpret_cast<__m256i*>(row + 32), _mm512_castsi512_si256(back));
        if (2 * pair + 1 == taps.count) continue;
        _mm256_store_si256(reinterpret_cast<__m256i*>(row + step), _mm512_extracti64x4_epi64(front, 1));
        _mm256_store_si256(reinterpret_cast<__m256i*>(row + step + 32), _mm512_extracti64x4_epi64(back, 1));
      }
    }
  }

  int64_t codes_, columns_;
  std::vector<int32_t> least_;  // product of each weight
  Bytes planes_;                // [codes][low byte, high byte][256 weights]
};

class WideStack final : public Stack {
 public:
  explicit WideStack(const Lut& lut) : codes_(lut.rows), products_(static_cast<size_t>(kCodes * lut.rows)) {
    for (int64_t a = 0; a < lut.rows; ++a) {
      for (int64_t b = 0; b < lut.columns; ++b) products_[a * kCodes + b] = lut.at(a, b);
    }
  }

  int64_t lanes() const override { return kWides; }
  int64_t bytes(int64_t taps) const override { return taps * tap_bytes(codes_); }
  void begin(const Taps&, int32_t* totals) const override { std::fill(totals, totals + kWides, 0); }

  void build(const Taps& taps, uint8_t* rows) const override {
    const std::vector<uint8_t> weights = by_tap(taps, kWides);
    for (int64_t code = 0; code < codes_; ++code) {
      for (int64_t k = 0; k < taps.count; ++k) {
        auto* row = reinterpret_cast<int32_t*>(rows + k * tap_bytes(codes_) + code * kRow);
        for (int64_t o = 0; o < kWides; ++o) row[o] = products_[code * kCodes + weights[k * kWides + o]];
      }
    }
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           uint8_t*, int32_t* totals) const override {
    const int64_t step = tap_bytes(codes_);
    int64_t p = 0;
    for (; p + 4 <= count; p += 4) add_wides<4>(rows, step, taps, codes, offsets, places + p, totals + p * kWides);
    for (; p < count; ++p) add_wides<1>(rows, step, taps, codes, offsets, places + p, totals + p * kWides);
  }

  void take(const int32_t* sums, int64_t count, int32_t* totals) const override { add_lanes(sums, count * kWides, totals); }
  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override { transpose_lanes(totals, kWides, 0, count, out, kPlaces); }
  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override { std::copy(totals, totals + count * kWides, out); }

 private:
  int64_t codes_;
  std::vector<int32_t> products_;  // [codes][256 weights]
};

// Rows of bytes gain nothing where one row of words serves all outputs.
bool takes_bytes(uint32_t span, int64_t outputs) { return span >> 8 == 0 && outputs > kWords; }

}  // namespace

std::unique_ptr<Stack> avx512_stack(const Lut& lut, int64_t outputs) {
  Columns columns = columns_of(lut);
  if (takes_bytes(columns.span, outputs)) return avx512_byte_stack(lut, std::move(columns.least));
  if (columns.span >> 16) return std::make_unique<WideStack>(lut);
  return std::make_unique<WordStack>(lut, std::move(columns.least));
}

StackCost avx512_stack_cost(uint32_t span, int64_t outputs) {
  if (takes_bytes(span, outputs)) return {kBytes, 3.8, 2.6, 60.0};
  if (span >> 16) return {kWides, 16.0, 2.4, 12.0};
  return {kWords, 4.7, 2.4, 24.0};
}

}  // namespace inexact
