// AVX-512 VNNI path, positions that lie anywhere: vectors run along the rows of the panel, the bytes of a position are the broadcast side.
#include <algorithm>
#include <cstring>

#include "lowrank/vnni.hpp"

namespace inexact::lowrank {
namespace {

// out = (out + the sums of one segment) << shift. N positions x V vectors of rows: their sums, a step's vectors of the panel and one
// broadcast fit the 32 registers (compiled with -fno-tree-pre, without which GCC 12 copies every sum in every step).
template <int N, int V, bool Signed>
void add_segment(const uint8_t* panel, const uint8_t* stream, const int64_t* offsets, const Segment& segment, const int64_t* places, int32_t* out) {
  __m512i sums[N][V];
#pragma GCC unroll 12
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sums[n][v] = _mm512_setzero_si512();
  }
  for (const int64_t* end = offsets + segment.steps; offsets != end; ++offsets, panel += 64 * V) {
    const uint8_t* at = stream + *offsets;
    __m512i row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) row[v] = _mm512_loadu_si512(panel + 64 * v);
#pragma GCC unroll 12
    for (int n = 0; n < N; ++n) {
      int32_t quad;
      std::memcpy(&quad, at + places[n], 4);
      const __m512i bytes = _mm512_set1_epi32(quad);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[n][v] = multiply<Signed>(sums[n][v], row[v], bytes);
    }
  }
  const __m128i shift = _mm_cvtsi32_si128(segment.shift);
#pragma GCC unroll 12
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      int32_t* const to = out + 16 * (n * V + v);
      _mm512_storeu_si512(to, _mm512_sll_epi32(_mm512_add_epi32(sums[n][v], _mm512_loadu_si512(to)), shift));
    }
  }
}

template <int N, int V>
void block_sum(const Block& block, const int64_t* places, int32_t* out) {
  std::fill(out, out + 16 * N * V, 0);
  const uint8_t* panel = block.panel;
  const int64_t* offsets = block.offsets;
  for (int64_t s = 0; s < block.segment_count; ++s) {
    const Segment& segment = block.segments[s];
    const auto add = segment.stream_signed ? &add_segment<N, V, true> : &add_segment<N, V, false>;
    add(panel, block.stream, offsets, segment, places, out);
    panel += 64 * V * segment.steps;
    offsets += segment.steps;
  }
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t r = 0; r < 16 * V; r += 16) {
      int32_t* const sums = out + 16 * V * n + r;
      _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_loadu_si512(block.start + r)));
    }
  }
}

template <int N, int V>
void all(const Block& block, const int64_t* places, int64_t count, int32_t* out) {
  for (; count >= N; count -= N, places += N, out += 16 * N * V) block_sum<N, V>(block, places, out);
  for (; count >= 4; count -= 4, places += 4, out += 64 * V) block_sum<4, V>(block, places, out);
  for (; count > 0; --count, ++places, out += 16 * V) block_sum<1, V>(block, places, out);
}

}  // namespace

void vnni_scattered(const Block& block, int64_t rows, const int64_t* places, int64_t count, int32_t* out) {
  switch (rows) {
    case 16: return all<12, 1>(block, places, count, out);
    case 32: return all<12, 2>(block, places, count, out);
    default: return all<6, 4>(block, places, count, out);
  }
}

}  // namespace inexact::lowrank
