// AVX-512 VBMI path: the table row of a fixed operand lives in registers and 64 products are looked up at once.
//
// A row's products differ from the row's least one by at most 2^(8 P) - 1, so a row is P planes of 256 bytes (4 registers each) and a
// base. Bases do not depend on the streamed operand: their sum is added once. vpermi2b looks up 128 of the 256 bytes of a plane; two of
// them and a blend by the top bit of the code give the byte of each of 64 products.
//
// Bytes are summed in 16-bit lanes, without separating them: with e and o the bytes at even and odd positions, one lane holds
// S = sum e + 256 sum o modulo 2^16 and another O = sum o. Over at most 256 taps both sums fit, so sum e = S - 256 O. Then they are flushed to 32 bits.
#include <immintrin.h>

#include <algorithm>
#include <array>

#include "avx512/stack.hpp"
#include "drive/memory.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

constexpr int64_t kCodes = 256;
constexpr int64_t kFlush = 256;   // taps whose bytes sum below 2^16
constexpr int64_t kVector = 64;   // products looked up at once

// What one call of `sum` works on.
struct Span {
  const uint8_t* codes;
  const uint8_t* stream;
  const int64_t* offsets;
  const uint8_t* planes;
  __mmask64 last;  // lanes of the last vector that exist
};

struct Four {
  __m512i part[4];
};

// Sums of one byte plane over pixels, widened: four vectors of 16 int32 in pixel order.
inline Four widen(__m512i both, __m512i odd) {
  const __m512i even = _mm512_sub_epi16(both, _mm512_slli_epi16(odd, 8));
  const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
  const __m512i first = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
  const __m512i second = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
  return {{_mm512_cvtepu16_epi32(_mm512_castsi512_si256(first)), _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(first, 1)),
          _mm512_cvtepu16_epi32(_mm512_castsi512_si256(second)), _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(second, 1))}};
}

// out[0 .. 64) (lanes of `mask`) = start or its former value, plus the sums of all planes.
template <int P>
inline void flush(const __m512i* both, const __m512i* odd, __mmask64 mask, bool first, __m512i start, int32_t* out) {
  __m512i total[4] = {start, start, start, start};
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    const Four sums = widen(both[p], odd[p]);
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) total[q] = _mm512_add_epi32(total[q], _mm512_slli_epi32(sums.part[q], 8 * p));
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const auto lanes = static_cast<__mmask16>(mask >> (16 * q));
    if (!first) total[q] = _mm512_add_epi32(total[q], _mm512_maskz_loadu_epi32(lanes, out + 16 * q));
    _mm512_mask_storeu_epi32(out + 16 * q, lanes, total[q]);
  }
}

// Adds taps [k0, k1), at most kFlush of them, for V vectors of pixels.
template <int P, int V>
inline void taps(const Span& span, int64_t k0, int64_t k1, bool first, __m512i start, int32_t* out) {
  __m512i both[V][P], odd[V][P];
  // Every loop over these sums must be unrolled: an index known only at run time would make them live in memory.
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) both[v][p] = odd[v][p] = _mm512_setzero_si512();
  }
  for (int64_t k = k0; k < k1; ++k) {
    const uint8_t* plane = span.planes + span.codes[k] * (P * kCodes);
    const uint8_t* source = span.stream + span.offsets[k];
    __m512i row[P][4];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) row[p][q] = _mm512_load_si512(plane + p * kCodes + q * kVector);
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const __m512i code =
          v + 1 < V ? _mm512_loadu_si512(source + v * kVector) : _mm512_maskz_loadu_epi8(span.last, source + v * kVector);
      const __mmask64 upper = _mm512_movepi8_mask(code);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const __m512i below = _mm512_permutex2var_epi8(row[p][0], code, row[p][1]);
        const __m512i above = _mm512_permutex2var_epi8(row[p][2], code, row[p][3]);
        const __m512i bytes = _mm512_mask_blend_epi8(upper, below, above);
        both[v][p] = _mm512_add_epi16(both[v][p], bytes);
        odd[v][p] = _mm512_add_epi16(odd[v][p], _mm512_srli_epi16(bytes, 8));
      }
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    flush<P>(both[v], odd[v], v + 1 < V ? ~__mmask64{0} : span.last, first, start, out + v * kVector);
  }
}

template <int P, int V>
void run(const Span& span, int64_t count, uint32_t base, int32_t* out) {
  for (int64_t k = 0; k < count; k += kFlush) {
    const __m512i start = k == 0 ? _mm512_set1_epi32(static_cast<int32_t>(base)) : _mm512_setzero_si512();
    taps<P, V>(span, k, std::min(count, k + kFlush), k == 0, start, out);
  }
}

// Vectors per call that fit the 32 registers beside the row: 4 P + 2 P V + a few.
constexpr int kMostVectors[] = {0, 8, 4, 2, 1};

template <int P>
void run_vectors(int64_t vectors, const Span& span, int64_t count, uint32_t base, int32_t* out) {
  if constexpr (P == 1) {
    switch (vectors) {
      case 5: return run<P, 5>(span, count, base, out);
      case 6: return run<P, 6>(span, count, base, out);
      case 7: return run<P, 7>(span, count, base, out);
      case 8: return run<P, 8>(span, count, base, out);
      default: break;
    }
  }
  if constexpr (P <= 2) {
    if (vectors == 3) return run<P, 3>(span, count, base, out);
    if (vectors == 4) return run<P, 4>(span, count, base, out);
  }
  if constexpr (P <= 3) {
    if (vectors == 2) return run<P, 2>(span, count, base, out);
  }
  run<P, 1>(span, count, base, out);
}

int planes_of(uint32_t span) { return span >> 24 ? 4 : span >> 16 ? 3 : span >> 8 ? 2 : 1; }

int64_t block(int planes) { return kVector * kMostVectors[planes]; }

class Avx512Rows final : public RowTable {
 public:
  explicit Avx512Rows(const Lut& lut) {
    std::unique_ptr<int32_t[]> rows(new int32_t[kCodes * kCodes]);
    copy_rows(lut, rows.get());
    uint32_t range = 0;
    for (int64_t r = 0; r < lut.rows; ++r) range = std::max(range, measure(rows.get() + r * kCodes, lut.columns, &base_[r]));
    any_base_ = std::any_of(base_.begin(), base_.end(), [](uint32_t base) { return base != 0; });
    planes_ = planes_of(range);
    bytes_ = aligned_bytes(kCodes * kCodes * planes_);
    for (int64_t r = 0; r < kCodes; ++r) split(rows.get() + r * kCodes, base_[r], bytes_.get() + r * kCodes * planes_);
  }

  void sum(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length,
           int32_t* out) const override {
    uint32_t base = 0;
    if (any_base_) {
      for (int64_t k = 0; k < count; ++k) base += base_[codes[k]];
    }
    for (int64_t p = 0; p < length; p += block(planes_)) {
      const int64_t rest = std::min(block(planes_), length - p), vectors = (rest + kVector - 1) / kVector, tail = rest - (vectors - 1) * kVector;
      const Span span{codes, stream + p, offsets, bytes_.get(), ~__mmask64{0} >> (kVector - tail)};
      switch (planes_) {
        case 1: run_vectors<1>(vectors, span, count, base, out + p); break;
        case 2: run_vectors<2>(vectors, span, count, base, out + p); break;
        case 3: run_vectors<3>(vectors, span, count, base, out + p); break;
        default: run_vectors<4>(vectors, span, count, base, out + p);
      }
    }
  }

 private:
  // Codes that the table lacks never come; their entries only have to be defined.
  static void copy_rows(const Lut& lut, int32_t* rows) {
    if (lut.rows < kCodes || lut.columns < kCodes) std::fill(rows, rows + kCodes * kCodes, 0);
    if (lut.column_step == 1) {
      for (int64_t r = 0; r < lut.rows; ++r) std::copy(lut.values + r * lut.row_step, lut.values + r * lut.row_step + lut.columns, rows + r * kCodes);
      return;
    }
    constexpr int64_t tile = 16;
    for (int64_t r0 = 0; r0 < lut.rows; r0 += tile) {
      for (int64_t c0 = 0; c0 < lut.columns; c0 += tile) {
        for (int64_t r = r0; r < std::min(r0 + tile, lut.rows); ++r) {
          for (int64_t c = c0; c < std::min(c0 + tile, lut.columns); ++c) rows[r * kCodes + c] = lut.at(r, c);
        }
      }
    }
  }

  // Least product of a row to *base; returns the greatest difference from it.
  static uint32_t measure(const int32_t* row, int64_t columns, uint32_t* base) {
    int32_t least = row[0], most = row[0];
    for (int64_t c = 0; c < columns; ++c) {
      least = std::min(least, row[c]);
      most = std::max(most, row[c]);
    }
    *base = static_cast<uint32_t>(least);
    return static_cast<uint32_t>(most) - static_cast<uint32_t>(least);
  }

  void split(const int32_t* row, uint32_t base, uint8_t* bytes) const {
    const __m512i least = _mm512_set1_epi32(static_cast<int32_t>(base));
    for (int64_t c = 0; c < kCodes; c += 16) {
      __m512i rest = _mm512_sub_epi32(_mm512_loadu_si512(row + c), least);
      for (int p = 0; p < planes_; ++p, rest = _mm512_srli_epi32(rest, 8)) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + p * kCodes + c), _mm512_cvtepi32_epi8(rest));
      }
    }
  }

  int planes_ = 1;
  bool any_base_ = false;
  std::array<uint32_t, kCodes> base_{};
  Bytes bytes_;
};

class Avx512Path final : public Path {
 public:
  std::unique_ptr<RowTable> rows(const Lut& lut) const override { return std::make_unique<Avx512Rows>(lut); }
  std::unique_ptr<Stack> stack(const Lut& lut, int64_t outputs) const override { return avx512_stack(lut, outputs); }
  StackCost stack_cost(uint32_t span, int64_t outputs) const override { return avx512_stack_cost(span, outputs); }

  // A row is loaded once a call (4 loads a plane); each vector costs a mask and 7 instructions a plane.
  RowCost row_cost(uint32_t span) const override {
    const int planes = planes_of(span);
    return {block(planes), kVector, 1.3 * planes, 0.84 + 2.94 * planes};
  }
};

}  // namespace

const Path& avx512_path() {
  static const Avx512Path path;
  return path;
}

}  // namespace inexact
