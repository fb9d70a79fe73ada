// AVX-512 loops before and behind the sums of a layer: 16 activations, 8 outputs at once.
#include <immintrin.h>

#include <algorithm>

#include "layer/layer.hpp"

namespace inexact {
namespace {

uint32_t quantise(const float* x, int64_t count, const Quantiser& q, uint8_t* out) {
  const __m512 scale = _mm512_set1_ps(q.scale), shift = _mm512_set1_ps(12582912.0f);  // as in the scalar loop
  const __m512 low = _mm512_set1_ps(static_cast<float>(q.low - q.zero)), high = _mm512_set1_ps(static_cast<float>(q.high - q.zero));
  const __m512i zero = _mm512_set1_epi32(q.zero), mask = _mm512_set1_epi32(q.mask), magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  __m512i most = _mm512_setzero_si512();
  for (int64_t i = 0; i < count; i += 16) {
    const auto lanes = static_cast<__mmask16>(count - i >= 16 ? 0xFFFF : (1u << (count - i)) - 1);
    const __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
    most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(value), magnitude));
    const __m512 moved = _mm512_add_ps(_mm512_min_ps(_mm512_max_ps(_mm512_div_ps(value, scale), low), high), shift);
    const __m512i code = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(moved), zero), mask);
    _mm512_mask_cvtepi32_storeu_epi8(out + i, lanes, code);
  }
  return _mm512_reduce_max_epu32(most);
}

inline __mmask8 lanes_of(int64_t left) { return static_cast<__mmask8>(left >= 8 ? 0xFF : (1u << left) - 1); }

void pixels(const Epilogue& e, int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums, float* out) {
  if (e.integer) {
    kScalarLayer.pixels(e, image, channel, first, count, sums, out);
    return;
  }
  const int64_t at = (image * e.groups + channel / (e.channels / e.groups)) * e.pixels + first;
  const __m512d offset = _mm512_set1_pd(e.offset[channel]), scale = _mm512_set1_pd(e.scale[channel]);
  const __m512d factor = _mm512_set1_pd(e.window ? e.factor[channel] : 0.0);
  const __m256 bias = _mm256_set1_ps(e.bias ? e.bias[channel] : 0.0f);
  for (int64_t i = 0; i < count; i += 8) {
    const __mmask8 lanes = lanes_of(count - i);
    __m512d total = _mm512_sub_pd(_mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(lanes, sums + i)), offset);
    if (e.window) {
      const __m512d window = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(lanes, e.window + at + i));
      total = _mm512_sub_pd(total, _mm512_mul_pd(window, factor));
    }
    if (e.column) total = _mm512_sub_pd(total, _mm512_maskz_loadu_pd(lanes, e.column + at + i));
    if (e.padding) total = _mm512_sub_pd(total, _mm512_maskz_loadu_pd(lanes, e.padding + channel * e.pixels + first + i));
    __m256 result = _mm512_cvtpd_ps(_mm512_mul_pd(total, scale));
    if (e.bias) result = _mm256_add_ps(result, bias);
    _mm256_mask_storeu_ps(out + i, lanes, result);
  }
}

void channels(const Epilogue& e, int64_t row, int64_t first, int64_t count, const int32_t* sums, float* out) {
  if (e.integer || e.groups != 1 || e.padding) {
    kScalarLayer.channels(e, row, first, count, sums, out);
    return;
  }
  const __m512d window = _mm512_set1_pd(e.window ? static_cast<double>(e.window[row]) : 0.0);
  const __m512d column = _mm512_set1_pd(e.column ? e.column[row] : 0.0);
  for (int64_t i = 0; i < count; i += 8) {
    const __mmask8 lanes = lanes_of(count - i);
    const int64_t c = first + i;
    __m512d total = _mm512_sub_pd(_mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(lanes, sums + i)), _mm512_maskz_loadu_pd(lanes, e.offset + c));
    if (e.window) total = _mm512_sub_pd(total, _mm512_mul_pd(window, _mm512_maskz_loadu_pd(lanes, e.factor + c)));
    if (e.column) total = _mm512_sub_pd(total, column);
    __m256 result = _mm512_cvtpd_ps(_mm512_mul_pd(total, _mm512_maskz_loadu_pd(lanes, e.scale + c)));
    if (e.bias) result = _mm256_add_ps(result, _mm256_maskz_loadu_ps(lanes, e.bias + c));
    _mm256_mask_storeu_ps(out + i, lanes, result);
  }
}

}  // namespace

const LayerLoops kAvx512Layer{&quantise, &pixels, &channels};

}  // namespace inexact
