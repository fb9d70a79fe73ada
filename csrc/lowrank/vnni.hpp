// Parts of the AVX-512 VNNI path. For files that are compiled for it.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {

// Adds products of bytes, four to a lane. Signed: the stream's bytes are int8 and the row's uint8, else the other way round.
template <bool Signed>
inline __m512i multiply(__m512i sums, __m512i row, __m512i stream) {
  return Signed ? _mm512_dpbusd_epi32(sums, row, stream) : _mm512_dpbusd_epi32(sums, stream, row);
}

void vnni_scattered(const Block& block, int64_t rows, const int64_t* places, int64_t count, int32_t* out);

}  // namespace inexact::lowrank
