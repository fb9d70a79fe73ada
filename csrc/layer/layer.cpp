#include "layer/layer.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "drive/parallel.hpp"

namespace inexact {
namespace {

constexpr int64_t kInt32 = int64_t{1} << 31;

int64_t saturated(int64_t value) { return std::min(kInt32 - 1, std::max(-kInt32, value)); }

// The requantisation of gemmlowp; inexact.precision.requantise is its specification.
int64_t requantised(const IntegerOutput& to, int64_t channel, int64_t total) {
  const int64_t multiplier = to.multiplier[channel], exponent = to.exponent[channel];
  // Beyond 31 places every value but zero saturates.
  const int64_t raised = saturated(saturated(total) * (int64_t{1} << std::min<int64_t>(31, std::max<int64_t>(0, exponent))));
  const int64_t product = raised * multiplier;
  const int64_t high = (product + (product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30))) / kInt32;
  const int64_t shift = std::min<int64_t>(31, std::max<int64_t>(0, -exponent));
  const int64_t mask = (int64_t{1} << shift) - 1, threshold = (mask >> 1) + (high < 0);
  const int64_t code = (high >> shift) + ((high & mask) > threshold) + to.zero;
  return std::min(to.high, std::max(to.low, code));
}

void raise_to(std::atomic<uint32_t>& most, uint32_t value) {
  uint32_t seen = most.load();
  while (seen < value && !most.compare_exchange_weak(seen, value)) {
  }
}

// Bytes [rows, columns] to out[column * step + row].
void transpose_to(const uint8_t* in, int64_t rows, int64_t columns, uint8_t* out, int64_t step) {
  const int64_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8) {
    for (int64_t j = 0; j < whole_columns; j += 8) {
      uint64_t word[8];
      for (int64_t r = 0; r < 8; ++r) std::memcpy(&word[r], in + (i + r) * columns + j, 8);
      transpose_8x8(word);
      for (int64_t r = 0; r < 8; ++r) std::memcpy(out + (j + r) * step + i, &word[r], 8);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = j < whole_columns ? whole_rows : 0; i < rows; ++i) out[j * step + i] = in[i * columns + j];
  }
}

}  // namespace

float finished(const Epilogue& e, int64_t channel, double total) {
  float result;
  if (e.integer) {
    const int64_t code = requantised(*e.integer, channel, static_cast<int64_t>(total));
    result = (static_cast<float>(code) - e.integer->zero_point) * e.integer->scale;
  } else {
    result = static_cast<float>(total * e.scale[channel]);
    if (e.bias) result += e.bias[channel];
  }
  return result;
}

const LayerLoops& layer_loops(const std::string& isa) {
#ifdef INEXACT_AVX512
  if (isa == "avx512") return kAvx512Layer;
#endif
  (void)isa;
  return kScalarLayer;
}

void put_channels_last(const float* planes, int64_t images, int64_t channels, int64_t pixels, int threads, float* out) {
  constexpr int64_t strip = 16;  // pixels: a cache line of each channel
  const int64_t strips = ceil_div(pixels, strip);
  parallel_for(images * strips, useful_threads(images * channels * pixels, threads), [&](int64_t task) {
    const int64_t image = task / strips, first = task % strips * strip, count = std::min(strip, pixels - first);
    const float* from = planes + image * channels * pixels + first;
    float* to = out + (image * pixels + first) * channels;
    for (int64_t p = 0; p < count; ++p, ++from, to += channels) {
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c * pixels];
    }
  });
}

bool quantise_planes(const float* x, Order order, int64_t images, int64_t channels, int64_t pixels, const Quantiser& q,
                     const LayerLoops& loops, int threads, uint8_t* out) {
  std::atomic<uint32_t> most{0};
  const int64_t count = images * channels * pixels;
  threads = useful_threads(count, threads);
  if (order == Order::planes || channels == 1 || pixels == 1) {
    constexpr int64_t length = 1 << 14;
    parallel_for(ceil_div(count, length), threads, [&](int64_t task) {
      const int64_t from = task * length, to = std::min(count, from + length);
      raise_to(most, loops.quantise(x + from, to - from, q, out + from));
    });
  } else {
    const int64_t length = std::max<int64_t>(8, (1 << 14) / channels / 64 * 64), blocks = ceil_div(pixels, length);
    parallel_for(images * blocks, threads, [&](int64_t task) {
      const int64_t image = task / blocks, p0 = task % blocks * length, p1 = std::min(pixels, p0 + length);
      std::vector<uint8_t> codes(static_cast<size_t>((p1 - p0) * channels));
      const float* from = x + (image * pixels + p0) * channels;
      raise_to(most, loops.quantise(from, (p1 - p0) * channels, q, codes.data()));
      transpose_to(codes.data(), p1 - p0, channels, out + image * channels * pixels + p0, pixels);
    });
  }
  return most.load() < kInfinity;
}

void restore(const float* x, int64_t count, const Quantiser& q, int threads, float* out) {
  constexpr int64_t length = 1 << 14;
  constexpr float shift = 12582912.0f;  // 1.5 * 2^23: rounds half to even, as in the loops that quantise
  const auto low = static_cast<float>(q.low - q.zero), high = static_cast<float>(q.high - q.zero);
  parallel_for(ceil_div(count, length), useful_threads(count, threads), [&](int64_t task) {
    const int64_t last = std::min(count, (task + 1) * length);
    for (int64_t i = task * length; i < last; ++i) {
      const float steps = std::min(std::max(x[i] / q.scale, low), high);
      out[i] = ((steps + shift) - shift) * q.scale;
    }
  });
}

void pass_inside(const float* x, const float* gradient, int64_t count, float low, float high, int threads, float* out) {
  constexpr int64_t length = 1 << 14;
  parallel_for(ceil_div(count, length), useful_threads(count, threads), [&](int64_t task) {
    const int64_t last = std::min(count, (task + 1) * length);
    for (int64_t i = task * length; i < last; ++i) out[i] = (x[i] >= low) & (x[i] <= high) ? gradient[i] : 0.0f;
  });
}

void finish(const Epilogue& e, int64_t images, const LayerLoops& loops, int threads, void* sums) {
  threads = useful_threads(images * e.channels * e.pixels, threads);
  auto* in = static_cast<int32_t*>(sums);
  auto* out = static_cast<float*>(sums);
  if (e.pixels == 1) {
    parallel_for(images, threads, [&](int64_t row) {
      loops.channels(e, row, 0, e.channels, in + row * e.channels, out + row * e.channels);
    });
    return;
  }
  parallel_for(images * e.channels, threads, [&](int64_t plane) {
    loops.pixels(e, plane / e.channels, plane % e.channels, 0, e.pixels, in + plane * e.pixels, out + plane * e.pixels);
  });
}

}  // namespace inexact
