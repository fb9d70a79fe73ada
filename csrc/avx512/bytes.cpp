// AVX-512 path, products stacked by code (inexact.hpp), for tables whose columns span less than 256.
//
// A row is 64 bytes: the products of one code with 64 outputs, less the least product of the output's weight. Half the bytes of rows of
// words pass through the L2 cache. Rows are added as words, one sum of even byte + 256 * odd byte, another of the odd bytes, modulo 2^16.
// Both wait beside the totals; after at most 256 taps they are taken apart and widened.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "avx512/shuffles.hpp"
#include "avx512/stack.hpp"
#include "drive/memory.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

constexpr int64_t kWaiting = 128;  // bytes of a place's two sums

// Byte of a row that belongs to output o: the even bytes are the first 32 outputs.
constexpr int64_t byte_of(int64_t o) { return o % 32 * 2 + o / 32; }

template <int N>
inline void add_bytes(const uint8_t* rows, int64_t step, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                      uint8_t* waiting) {
  __m512i both[N], odd[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    both[n] = _mm512_load_si512(waiting + n * kWaiting);
    odd[n] = _mm512_load_si512(waiting + n * kWaiting + 64);
  }
#pragma GCC unroll 2
  for (int64_t k = 0; k < taps; ++k) {
    const uint8_t* tap = codes + offsets[k];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const __m512i row = _mm512_load_si512(rows + k * step + tap[places[n]] * kRow);
      both[n] = _mm512_add_epi16(both[n], row);
      odd[n] = _mm512_add_epi16(odd[n], _mm512_srli_epi16(row, 8));
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    _mm512_store_si512(waiting + n * kWaiting, both[n]);
    _mm512_store_si512(waiting + n * kWaiting + 64, odd[n]);
  }
}

// Adds 32 words to 32 totals.
inline void add_words(__m512i words, int32_t* totals) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(words)), high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(words, 1));
  _mm512_store_si512(totals, _mm512_add_epi32(_mm512_load_si512(totals), low));
  _mm512_store_si512(totals + 16, _mm512_add_epi32(_mm512_load_si512(totals + 16), high));
}

class ByteStack final : public Stack {
 public:
  ByteStack(const Lut& lut, std::vector<int32_t> least) : codes_(lut.rows), columns_(lut.columns), least_(std::move(least)) {
    planes_ = aligned_bytes(codes_ * kCodes);
    std::memset(planes_.get(), 0, static_cast<size_t>(codes_ * kCodes));
    for (int64_t b0 = 0; b0 < lut.columns; b0 += 16) {  // whichever way the table lies, what is read and written stays in L1
      for (int64_t a = 0; a < lut.rows; ++a) {
        for (int64_t b = b0; b < std::min(b0 + 16, lut.columns); ++b) {
          planes_[a * kCodes + b] = static_cast<uint8_t>(static_cast<uint32_t>(lut.at(a, b)) - static_cast<uint32_t>(least_[b]));
        }
      }
    }
  }

  int64_t lanes() const override { return kBytes; }
  int64_t bytes(int64_t taps) const override { return taps * tap_bytes(codes_); }

  int64_t waiting_bytes() const override { return kWaiting; }

  void begin(const Taps& window, int32_t* totals) const override {
    for (int64_t o = 0; o < kBytes; ++o) {
      uint32_t sum = 0;
      for (int64_t k = 0; o < window.outputs && k < window.count; ++k) {
        sum += static_cast<uint32_t>(least_[window.weights[o * window.step + k]]);
      }
      totals[o] = static_cast<int32_t>(sum);
    }
  }

  void build(const Taps& taps, uint8_t* rows) const override {
    with_vectors(columns_, [&](auto vectors) { build_as<decltype(vectors)::value>(taps, rows); });
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           uint8_t* waiting, int32_t*) const override {
    const int64_t step = tap_bytes(codes_);
    int64_t p = 0;
    for (; p + 4 <= count; p += 4) add_bytes<4>(rows, step, taps, codes, offsets, places + p, waiting + p * kWaiting);
    for (; p < count; ++p) add_bytes<1>(rows, step, taps, codes, offsets, places + p, waiting + p * kWaiting);
  }

  void settle(uint8_t* waiting, int64_t count, int32_t* totals) const override {
    for (int64_t p = 0; p < count; ++p, waiting += kWaiting, totals += kBytes) {
      const __m512i both = _mm512_load_si512(waiting), odd = _mm512_load_si512(waiting + 64);
      add_words(_mm512_sub_epi16(both, _mm512_slli_epi16(odd, 8)), totals);
      add_words(odd, totals + 32);
      _mm512_store_si512(waiting, _mm512_setzero_si512());
      _mm512_store_si512(waiting + 64, _mm512_setzero_si512());
    }
  }

  void take(const int32_t* sums, int64_t count, int32_t* totals) const override { add_lanes(sums, count * kBytes, totals); }

  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t v = 0; v < kBytes; v += 16) transpose_lanes(totals, kBytes, v, count, out + v * kPlaces, kPlaces);
  }

  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override { std::copy(totals, totals + count * kBytes, out); }

 private:
  template <int Q>
  void build_as(const Taps& taps, uint8_t* rows) const {
    const int64_t step = tap_bytes(codes_);
    const auto weights = aligned_bytes(taps.count * kRow);
    std::memset(weights.get(), 0, static_cast<size_t>(taps.count * kRow));
    for (int64_t o = 0; o < taps.outputs; ++o) {
      for (int64_t k = 0; k < taps.count; ++k) weights[k * kRow + byte_of(o)] = taps.weights[o * taps.step + k];
    }
    for (int64_t code = 0; code < codes_; ++code) {
      __m512i plane[4];
      for (int q = 0; q < Q; ++q) plane[q] = _mm512_load_si512(planes_.get() + code * kCodes + q * 64);
      for (int64_t k = 0; k < taps.count; ++k) {
        const __m512i index = _mm512_load_si512(weights.get() + k * kRow);
        _mm512_store_si512(rows + k * step + code * kRow, look_up<Q>(plane, index, _mm512_movepi8_mask(index)));
      }
    }
  }

  int64_t codes_, columns_;
  std::vector<int32_t> least_;  // product of each weight
  Bytes planes_;                // [codes][256 weights]
};

}  // namespace

std::unique_ptr<Stack> avx512_byte_stack(const Lut& lut, std::vector<int32_t> least) {
  return std::make_unique<ByteStack>(lut, std::move(least));
}

}  // namespace inexact
