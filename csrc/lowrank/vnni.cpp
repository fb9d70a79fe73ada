// AVX-512 VNNI path. A block of up to 14 rows x 32 positions of sums stays in registers over all steps of all terms: 28 sums, two
// vectors of the stream and one broadcast of the panel are 31 of the 32 registers, so the multiplier is fed every cycle.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "lowrank/lowrank.hpp"
#include "lowrank/vnni.hpp"

namespace inexact::lowrank {
namespace {

template <int R, int V, bool Signed>
inline void steps(const Block& block, const uint8_t*& panel, const int64_t*& offset, int64_t count, __m512i (&sums)[R][V]) {
  for (const int64_t* end = offset + count; offset != end; ++offset, panel += 4 * R) {
    __m512i stream[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) stream[v] = _mm512_loadu_si512(block.stream + *offset + 64 * v);
#pragma GCC unroll 14
    for (int r = 0; r < R; ++r) {
      int32_t quad;
      std::memcpy(&quad, panel + 4 * r, 4);
      const __m512i row = _mm512_set1_epi32(quad);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sums[r][v] = multiply<Signed>(sums[r][v], row, stream[v]);
    }
  }
}

template <int R, int V>
void block_sum(const Block& block, int32_t* out, int64_t out_step) {
  __m512i sums[R][V];
#pragma GCC unroll 14
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sums[r][v] = _mm512_setzero_si512();
  }
  const uint8_t* panel = block.panel;
  const int64_t* offset = block.offsets;
  for (int64_t s = 0; s < block.segment_count; ++s) {
    const Segment& segment = block.segments[s];
    if (segment.stream_signed) {
      steps<R, V, true>(block, panel, offset, segment.steps, sums);
    } else {
      steps<R, V, false>(block, panel, offset, segment.steps, sums);
    }
    if (segment.shift) {
      const __m128i shift = _mm_cvtsi32_si128(segment.shift);
#pragma GCC unroll 14
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sums[r][v] = _mm512_sll_epi32(sums[r][v], shift);
      }
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < R; ++r) {
    const __m512i start = _mm512_set1_epi32(block.start[r]);
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) _mm512_storeu_si512(out + r * out_step + 16 * v, _mm512_add_epi32(sums[r][v], start));
  }
}

template <int V>
void rows_sum(const Block& block, int64_t rows, int32_t* out, int64_t out_step) {
  static_assert(kMostRows == 14);
  switch (rows) {
    case 1: return block_sum<1, V>(block, out, out_step);
    case 2: return block_sum<2, V>(block, out, out_step);
    case 3: return block_sum<3, V>(block, out, out_step);
    case 4: return block_sum<4, V>(block, out, out_step);
    case 5: return block_sum<5, V>(block, out, out_step);
    case 6: return block_sum<6, V>(block, out, out_step);
    case 7: return block_sum<7, V>(block, out, out_step);
    case 8: return block_sum<8, V>(block, out, out_step);
    case 9: return block_sum<9, V>(block, out, out_step);
    case 10: return block_sum<10, V>(block, out, out_step);
    case 11: return block_sum<11, V>(block, out, out_step);
    case 12: return block_sum<12, V>(block, out, out_step);
    case 13: return block_sum<13, V>(block, out, out_step);
    default: return block_sum<14, V>(block, out, out_step);
  }
}

void sum(const Block& block, int64_t rows, int64_t positions, int32_t* out, int64_t out_step) {
  if (positions > 16) {
    rows_sum<2>(block, rows, out, out_step);
  } else {
    rows_sum<1>(block, rows, out, out_step);
  }
}

// A map of 256 bytes in registers.
struct Map {
  __m512i part[4];

  explicit Map(const uint8_t* map) {
    for (int i = 0; i < 4; ++i) part[i] = _mm512_loadu_si512(map + 64 * i);
  }
  __m512i operator()(__m512i codes) const {
    const __m512i below = _mm512_permutex2var_epi8(part[0], codes, part[1]);
    const __m512i above = _mm512_permutex2var_epi8(part[2], codes, part[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), below, above);
  }
};

void map(const uint8_t* codes, int64_t count, const uint8_t* values, uint8_t* out) {
  const Map mapped(values);
  for (int64_t i = 0; i < count; i += 64) {
    const __mmask64 lanes = ~__mmask64{0} >> (64 - std::min<int64_t>(64, count - i));
    _mm512_mask_storeu_epi8(out + i, lanes, mapped(_mm512_maskz_loadu_epi8(lanes, codes + i)));
  }
}

void regroup(const uint8_t* w, int64_t quads, int64_t taps, uint8_t* out) {
  if (taps > 16) return scalar_path.regroup(w, quads, taps, out);
  uint8_t order[64] = {};
  for (int64_t j = 0; j < 4 * taps; ++j) order[j] = static_cast<uint8_t>(j % 4 * taps + j / 4);
  const __m512i index = _mm512_loadu_si512(order);
  const __mmask64 lanes = ~__mmask64{0} >> (64 - 4 * taps);
  for (int64_t q = 0; q < quads; ++q) {
    const __m512i codes = _mm512_maskz_loadu_epi8(lanes, w + 4 * taps * q);
    _mm512_mask_storeu_epi8(out + 4 * taps * q, lanes, _mm512_permutexvar_epi8(index, codes));
  }
}

// Adds one group of taps of one term: 16 positions of a vector need at most 16 + kMostReach bytes, which one permutation arranges.
template <bool Signed>
inline void tap_group(const TapGroup& group, const uint8_t* weights, const uint8_t* stream, __m512i (&sums)[4]) {
  static_assert(15 + kMostReach < 64);
  int32_t quad;
  std::memcpy(&quad, weights, 4);
  const __m512i weight = _mm512_set1_epi32(quad), index = _mm512_loadu_si512(group.index.data());
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const __m512i bytes = _mm512_permutexvar_epi8(index, _mm512_loadu_si512(stream + group.base + 16 * v));
    sums[v] = multiply<Signed>(sums[v], weight, bytes);
  }
}

void filter(const Filter& f, int64_t first, int64_t positions, int32_t* out) {
  const __m512i start = _mm512_set1_epi32(f.start);
  for (int64_t p = 0; p < positions; p += 64) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    const uint8_t* weights = f.weights;
    for (int64_t t = 0; t < f.segment_count; ++t) {
      const uint8_t* stream = f.streams[t] + first + p;
      if (f.segments[t].stream_signed) {
        for (int64_t g = 0; g < f.group_count; ++g, weights += 4) tap_group<true>(f.groups[g], weights, stream, sums);
      } else {
        for (int64_t g = 0; g < f.group_count; ++g, weights += 4) tap_group<false>(f.groups[g], weights, stream, sums);
      }
      const __m128i shift = _mm_cvtsi32_si128(f.segments[t].shift);
      for (__m512i& sum : sums) sum = _mm512_sll_epi32(sum, shift);
    }
    for (int v = 0; v < 4; ++v) _mm512_storeu_si512(out + p + 16 * v, _mm512_add_epi32(sums[v], start));
  }
}

void interleave(const uint8_t* const* rows, int64_t count, const uint8_t* map, uint8_t* out) {
  const Map mapped(map);
  for (int64_t p = 0; p < count; p += 64) {
    const int64_t rest = std::min<int64_t>(64, count - p);
    const __mmask64 lanes = ~__mmask64{0} >> (64 - rest);
    __m512i row[4];
    for (int i = 0; i < 4; ++i) row[i] = rows[i] ? mapped(_mm512_maskz_loadu_epi8(lanes, rows[i] + p)) : _mm512_setzero_si512();
    const __m512i low01 = _mm512_unpacklo_epi8(row[0], row[1]), high01 = _mm512_unpackhi_epi8(row[0], row[1]);
    const __m512i low23 = _mm512_unpacklo_epi8(row[2], row[3]), high23 = _mm512_unpackhi_epi8(row[2], row[3]);
    // 16-byte lane q of quad[i] holds positions 16 q + 4 i ..
    const __m512i quad[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                             _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
    const __m512i a = _mm512_shuffle_i64x2(quad[0], quad[1], 0x44), b = _mm512_shuffle_i64x2(quad[2], quad[3], 0x44);
    const __m512i c = _mm512_shuffle_i64x2(quad[0], quad[1], 0xEE), d = _mm512_shuffle_i64x2(quad[2], quad[3], 0xEE);
    const __m512i result[4] = {_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xDD), _mm512_shuffle_i64x2(c, d, 0x88),
                               _mm512_shuffle_i64x2(c, d, 0xDD)};
    for (int i = 0; i < 4; ++i) {
      const int64_t left = std::max<int64_t>(0, std::min<int64_t>(16, rest - 16 * i));
      _mm512_mask_storeu_epi32(out + 4 * p + 64 * i, static_cast<__mmask16>((1u << left) - 1), result[i]);
    }
  }
}

// Transposes 16 x 16 words of 32 bits.
inline void transpose_16x16(__m512i (&row)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    row[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    row[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    row[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    row[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i a = _mm512_shuffle_i32x4(row[i], row[i + 4], 0x88), b = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(row[i], row[i + 4], 0xDD), d = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0xDD);
    t[i] = _mm512_shuffle_i32x4(a, b, 0x88);
    t[i + 8] = _mm512_shuffle_i32x4(a, b, 0xDD);
    t[i + 4] = _mm512_shuffle_i32x4(c, d, 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(c, d, 0xDD);
  }
  for (int i = 0; i < 16; ++i) row[i] = t[i];
}

void quads(const uint8_t* codes, int64_t row_step, int64_t rows, int64_t count, const uint8_t* map, uint8_t* out, int64_t out_step) {
  const Map mapped(map);
  const auto kept = static_cast<__mmask16>((1u << rows) - 1);
  for (int64_t k = 0; k < count; k += 64) {
    const int64_t rest = std::min<int64_t>(64, count - k);
    const __mmask64 lanes = ~__mmask64{0} >> (64 - rest);
    __m512i row[16];
    for (int64_t r = 0; r < 16; ++r) {
      row[r] = r < rows ? _mm512_maskz_mov_epi8(lanes, mapped(_mm512_maskz_loadu_epi8(lanes, codes + r * row_step + k)))
                        : _mm512_setzero_si512();
    }
    transpose_16x16(row);
    uint8_t* target = out + k / 4 * out_step;
    for (int64_t q = 0; 4 * q < rest; ++q) _mm512_mask_storeu_epi32(target + q * out_step, kept, row[q]);
  }
}

}  // namespace

const Path vnni_path{&filter, &map, &regroup, &sum, &vnni_scattered, &interleave, &quads};

}  // namespace inexact::lowrank
