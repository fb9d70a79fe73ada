// Portable loops before and behind the sums of a layer.
#include <algorithm>
#include <cstring>

#include "layer/layer.hpp"

namespace inexact {
namespace {

uint32_t quantise(const float* x, int64_t count, const Quantiser& q, uint8_t* out) {
  // Adding 1.5 * 2^23 leaves no bits for a fraction: the sum is rounded half to even, and its lowest bits are the integer.
  constexpr float shift = 12582912.0f;
  const auto low = static_cast<float>(q.low - q.zero), high = static_cast<float>(q.high - q.zero);
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, 4);
    most = std::max(most, bits & 0x7FFFFFFFu);
    const float moved = std::min(std::max(x[i] / q.scale, low), high) + shift;
    std::memcpy(&bits, &moved, 4);
    out[i] = static_cast<uint8_t>(bits + static_cast<uint32_t>(q.zero)) & q.mask;
  }
  return most;
}

void pixels(const Epilogue& e, int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = finished(e, channel, corrected(e, image, channel, first + i, sums[i]));
}

void channels(const Epilogue& e, int64_t row, int64_t first, int64_t count, const int32_t* sums, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = finished(e, first + i, corrected(e, row, first + i, 0, sums[i]));
}

}  // namespace

const LayerLoops kScalarLayer{&quantise, &pixels, &channels};

}  // namespace inexact
