// Rows of stacked products, and the shuffles that make and unmake them, on AVX-512 VBMI.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace inexact {

constexpr int64_t kCodes = 256;
constexpr int64_t kRow = 64;  // bytes of a row

// One line apart from a power of two: the rows that one code has in all taps would else share a set of the cache.
inline int64_t tap_bytes(int64_t codes) { return codes * kRow + kRow; }

// One plane of one code: its byte for each of 64 weights. Q: vectors of 64 entries that the plane has. upper: weights from 128.
template <int Q>
inline __m512i look_up(const __m512i* plane, __m512i weights, __mmask64 upper) {
  if constexpr (Q == 1) return _mm512_permutexvar_epi8(weights, plane[0]);
  if constexpr (Q == 2) return _mm512_permutex2var_epi8(plane[0], weights, plane[1]);
  const __m512i below = _mm512_permutex2var_epi8(plane[0], weights, plane[1]);
  return _mm512_mask_blend_epi8(upper, below, _mm512_permutex2var_epi8(plane[2], weights, plane[3]));
}

// What `look_up` needs to know of a plane, at compile time: build(Q) with the vectors that `columns` entries take.
template <typename Build>
void with_vectors(int64_t columns, const Build& build) {
  if (columns <= 64) {
    build(std::integral_constant<int, 1>{});
  } else if (columns <= 128) {
    build(std::integral_constant<int, 2>{});
  } else {
    build(std::integral_constant<int, 4>{});
  }
}

// totals[i] += sums[i], modulo 2^32; count: a multiple of 16.
inline void add_lanes(const int32_t* sums, int64_t count, int32_t* totals) {
  for (int64_t i = 0; i < count; i += 16) {
    _mm512_store_si512(totals + i, _mm512_add_epi32(_mm512_load_si512(totals + i), _mm512_load_si512(sums + i)));
  }
}

// Transposes 16 x 16 int32: rows[i] of vectors to out[i * step].
inline void transpose_16x16(__m512i* row, int32_t* out, int64_t step) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    row[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    row[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    row[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    row[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // row[4 r + c] now holds, in its 128-bit lane l, column 4 l + c of rows 4 r .. 4 r + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88), high01 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88), high23 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xdd);
    _mm512_storeu_si512(out + c * step, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_storeu_si512(out + (4 + c) * step, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_storeu_si512(out + (8 + c) * step, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_storeu_si512(out + (12 + c) * step, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }
}

// Totals of `lanes` lanes a place, 16 of them from `lane`, of up to 64 places: out[i * step + p].
inline void transpose_lanes(const int32_t* totals, int64_t lanes, int64_t lane, int64_t count, int32_t* out, int64_t step) {
  for (int64_t p = 0; p < count; p += 16) {
    __m512i row[16];
    for (int64_t i = 0; i < 16; ++i) row[i] = _mm512_load_si512(totals + std::min(p + i, count - 1) * lanes + lane);
    transpose_16x16(row, out + p, step);
  }
}

}  // namespace inexact
