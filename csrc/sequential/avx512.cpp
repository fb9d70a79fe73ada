// AVX-512 VBMI path: 64 products are looked up at once in byte planes of the fixed code's row, then widened to 16 lanes a vector.
//
// A row is a base, its least product, and two byte planes of the rest, or four where products of a row differ by 2^16 or more. Widening
// interleaves the planes within 128-bit parts; lanes stay in that order until the sums are stored.
#include <immintrin.h>

#include <array>
#include <cstdlib>
#include <new>
#include <vector>

#include "sequential/lanes.hpp"

namespace inexact {
namespace {

typedef uint32_t Vector __attribute__((vector_size(64)));
typedef int32_t SignedVector __attribute__((vector_size(64)));

constexpr int64_t kCodes = 256;
constexpr int kChunk = 64;  // outputs of one look-up

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

class Avx512Path {
 public:
  using Lanes = Vector;
  static constexpr int kChunks = 2, kLanes = 4 * kChunks, kBlock = kChunk * kChunks;

  struct Sign {
    static Vector of(Vector value) { return (Vector)((SignedVector)value >> 31); }
  };

  Avx512Path(const Lut& lut, int shift) : shift_(_mm_cvtsi32_si128(shift)) {
    uint32_t range = 0;
    std::array<uint32_t, kCodes> least{};
    for (int64_t r = 0; r < lut.rows; ++r) range = std::max(range, measure(lut, r, &least[r]));
    planes_ = range >> 16 ? 4 : 2;
    bytes_.reset(static_cast<uint8_t*>(std::aligned_alloc(64, static_cast<size_t>(kCodes * kCodes * planes_))));
    if (!bytes_) throw std::bad_alloc();
    // Codes that the table lacks never come; their entries only have to be defined.
    std::memset(bytes_.get(), 0, static_cast<size_t>(kCodes * kCodes * planes_));
    for (int64_t r = 0; r < lut.rows; ++r) {
      base_[r] = least[r] << shift;
      for (int64_t c = 0; c < lut.columns; ++c) {
        uint32_t rest = static_cast<uint32_t>(lut.at(r, c)) - least[r];
        for (int p = 0; p < planes_; ++p, rest >>= 8) bytes_[(r * planes_ + p) * kCodes + c] = static_cast<uint8_t>(rest);
      }
    }
  }

  void products(uint8_t code, const uint8_t* stream, int64_t length, Vector* out) const {
    if (planes_ == 2) {
      look_up<2>(code, stream, length, out);
    } else {
      look_up<4>(code, stream, length, out);
    }
  }

  static void store(const Vector* sums, int64_t length, int shift, int32_t* out) {
    alignas(64) int32_t ordered[kBlock], quarter[16];
    for (int v = 0; v < kLanes; ++v) {
      _mm512_store_si512(quarter, _mm512_sra_epi32((__m512i)sums[v], _mm_cvtsi32_si128(shift)));
      for (int part = 0; part < 4; ++part) {
        std::copy(quarter + 4 * part, quarter + 4 * part + 4, ordered + v / 4 * kChunk + 16 * part + 4 * (v % 4));
      }
    }
    std::copy(ordered, ordered + length, out);
  }

 private:
  static uint32_t measure(const Lut& lut, int64_t row, uint32_t* least) {
    int32_t low = lut.at(row, 0), high = low;
    for (int64_t c = 0; c < lut.columns; ++c) {
      low = std::min(low, lut.at(row, c));
      high = std::max(high, lut.at(row, c));
    }
    *least = static_cast<uint32_t>(low);
    return static_cast<uint32_t>(high) - *least;
  }

  template <int P>
  void look_up(uint8_t code, const uint8_t* stream, int64_t length, Vector* out) const {
    const uint8_t* plane = bytes_.get() + code * (P * kCodes);
    const __m512i base = _mm512_set1_epi32(static_cast<int32_t>(base_[code]));
    __m512i row[P][4];
    for (int p = 0; p < P; ++p) {
      for (int q = 0; q < 4; ++q) row[p][q] = _mm512_load_si512(plane + p * kCodes + q * 64);
    }
    for (int v = 0; v < kChunks; ++v) {
      const int64_t rest = length - v * kChunk;
      const __mmask64 present = rest >= kChunk ? ~__mmask64{0} : rest > 0 ? ~__mmask64{0} >> (kChunk - rest) : 0;
      const __m512i codes = _mm512_maskz_loadu_epi8(present, stream + v * kChunk);
      const __mmask64 upper = _mm512_movepi8_mask(codes);
      __m512i byte[4] = {};
      for (int p = 0; p < P; ++p) {
        const __m512i below = _mm512_permutex2var_epi8(row[p][0], codes, row[p][1]);
        const __m512i above = _mm512_permutex2var_epi8(row[p][2], codes, row[p][3]);
        byte[p] = _mm512_mask_blend_epi8(upper, below, above);
      }
      const __m512i low[2] = {_mm512_unpacklo_epi8(byte[0], byte[1]), _mm512_unpackhi_epi8(byte[0], byte[1])};
      const __m512i high[2] = {_mm512_unpacklo_epi8(byte[2], byte[3]), _mm512_unpackhi_epi8(byte[2], byte[3])};
      for (int half = 0; half < 2; ++half) {
        const __m512i first = _mm512_unpacklo_epi16(low[half], high[half]), second = _mm512_unpackhi_epi16(low[half], high[half]);
        out[4 * v + 2 * half] = (Vector)_mm512_add_epi32(base, _mm512_sll_epi32(first, shift_));
        out[4 * v + 2 * half + 1] = (Vector)_mm512_add_epi32(base, _mm512_sll_epi32(second, shift_));
      }
    }
  }

  __m128i shift_;
  int planes_ = 2;
  std::array<uint32_t, kCodes> base_{};
  std::unique_ptr<uint8_t[], Free> bytes_;
};

}  // namespace

std::unique_ptr<Sequence> avx512_sequence(const Lut& lut, const Accumulation& acc) { return lanes::make<Avx512Path>(lut, acc); }

}  // namespace inexact
