// AVX-512 path, products stacked by code (inexact.hpp), for tables whose columns span less than 256.
//
// A row is 64 bytes: the products of one code with 64 outputs, less the least product of the output's weight. Half the bytes of rows of
// words pass through the L2 cache. Rows are added as words, one sum of even byte + 256 * odd byte, another of the odd bytes, modulo 2^16;
// after at most 256 taps both are taken apart. A total is two words: the upper ones are touched only when a lower one overflows.
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

constexpr int64_t kMostTaps = 256;  // whose bytes a word holds

// Byte of a row that belongs to output o: so placed that unpacking the words of a total gives outputs 16 at a time in order.
constexpr int64_t byte_of(int64_t o) { return 16 * (o % 16 / 4) + 8 * (o / 16 % 2) + 2 * (o % 4) + o / 32; }

// Word of a total, low words of even bytes, of odd bytes, high words of even, of odd ones: that of byte b.
constexpr int64_t word_of(int64_t b) { return b % 2 * 32 + b / 2; }

// Adds words to the low words of a total, and what they overflow by to the high ones.
inline void carry(uint8_t* low, uint8_t* high, __m512i words) {
  const __m512i sum = _mm512_add_epi16(_mm512_load_si512(low), words);
  _mm512_store_si512(low, sum);
  const __mmask32 over = _mm512_cmplt_epu16_mask(sum, words);
  if (over) _mm512_store_si512(high, _mm512_mask_add_epi16(_mm512_load_si512(high), over, _mm512_load_si512(high), _mm512_set1_epi16(1)));
}

template <int N>
inline void add_bytes(const uint8_t* rows, int64_t step, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places,
                      int32_t* totals) {
  __m512i both[N], odd[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) both[n] = odd[n] = _mm512_setzero_si512();
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
    auto* total = reinterpret_cast<uint8_t*>(totals + n * kBytes);
    carry(total, total + 128, _mm512_sub_epi16(both[n], _mm512_slli_epi16(odd[n], 8)));
    carry(total + 64, total + 192, odd[n]);
  }
}

// Outputs 16 v .. 16 v + 15 of a total.
inline __m512i unpacked(const int32_t* total, int v) {
  const auto* words = reinterpret_cast<const uint8_t*>(total) + v / 2 * 64;
  const __m512i low = _mm512_load_si512(words), high = _mm512_load_si512(words + 128);
  return v % 2 ? _mm512_unpackhi_epi16(low, high) : _mm512_unpacklo_epi16(low, high);
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

  void begin(const Taps& window, int32_t* totals) const override {
    auto* words = reinterpret_cast<uint8_t*>(totals);
    for (int64_t o = 0; o < kBytes; ++o) {
      uint32_t sum = 0;
      for (int64_t k = 0; o < window.outputs && k < window.count; ++k) {
        sum += static_cast<uint32_t>(least_[window.weights[o * window.step + k]]);
      }
      const auto low = static_cast<uint16_t>(sum), high = static_cast<uint16_t>(sum >> 16);
      std::memcpy(words + 2 * word_of(byte_of(o)), &low, 2);
      std::memcpy(words + 128 + 2 * word_of(byte_of(o)), &high, 2);
    }
  }

  void build(const Taps& taps, uint8_t* rows) const override {
    if (columns_ <= 64) {
      build_as<1>(taps, rows);
    } else if (columns_ <= 128) {
      build_as<2>(taps, rows);
    } else {
      build_as<4>(taps, rows);
    }
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           int32_t* totals) const override {
    const int64_t step = tap_bytes(codes_);
    for (int64_t k = 0; k < taps; k += kMostTaps) {
      const int64_t some = std::min(kMostTaps, taps - k);
      int64_t p = 0;
      for (; p + 4 <= count; p += 4) add_bytes<4>(rows + k * step, step, some, codes, offsets + k, places + p, totals + p * kBytes);
      for (; p < count; ++p) add_bytes<1>(rows + k * step, step, some, codes, offsets + k, places + p, totals + p * kBytes);
    }
  }

  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t p = 0; p < count; p += 16) {
      for (int v = 0; v < 4; ++v) {
        __m512i row[16];
        for (int64_t i = 0; i < 16; ++i) row[i] = unpacked(totals + std::min(p + i, count - 1) * kBytes, v);
        transpose_16x16(row, out + 16 * v * kPlaces + p, kPlaces);
      }
    }
  }

  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t p = 0; p < count; ++p) {
      for (int v = 0; v < 4; ++v) _mm512_store_si512(out + p * kBytes + 16 * v, unpacked(totals + p * kBytes, v));
    }
  }

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
