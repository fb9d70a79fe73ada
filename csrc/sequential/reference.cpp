// The specification: bit by bit, product by product. Every other path must equal this one bit for bit.
#include <algorithm>
#include <vector>

#include "sequential/sequential.hpp"

namespace inexact {
namespace {

bool bit(uint32_t value, int place) { return place >= 0 && ((value >> place) & 1u) != 0; }

// Bits [first, last) of a + b, with a carry into bit `first`. Returns the carry out.
bool ripple(uint32_t a, uint32_t b, int first, int last, bool carry, uint32_t* sum) {
  for (int i = first; i < last; ++i) {
    const int ones = bit(a, i) + bit(b, i) + carry;
    if (ones & 1) *sum |= 1u << i;
    carry = ones >= 2;
  }
  return carry;
}

uint32_t segmented(const Adder& adder, int width, uint32_t a, uint32_t b) {
  uint32_t sum = 0;
  ripple(a, b, 0, std::min(width, adder.reach + adder.step), false, &sum);
  for (int start = adder.reach + adder.step; start < width; start += adder.step) {
    uint32_t unused = 0;
    const bool carry = ripple(a, b, start - adder.reach, start, false, &unused);
    ripple(a, b, start, std::min(width, start + adder.step), carry, &sum);
  }
  return sum;
}

// The lowest `width` bits of what the adder gives.
uint32_t add_bits(const Adder& adder, int width, uint32_t a, uint32_t b) {
  if (adder.bits == Bits::segmented) return segmented(adder, width, a, b);
  const int low = adder.bits == Bits::exact ? 0 : adder.low;
  uint32_t sum = 0;
  bool filled = false;  // saturated: a pair of ones has come, from above
  for (int i = low - 1; i >= 0; --i) {
    bool one = false;
    switch (adder.bits) {
      case Bits::lower_or:
      case Bits::lower_or_carry: one = bit(a, i) || bit(b, i); break;
      case Bits::copied: one = bit(b, i); break;
      case Bits::saturated:
        filled = filled || (bit(a, i) && bit(b, i));
        one = filled || bit(a, i) != bit(b, i);
        break;
      default: break;
    }
    if (one) sum |= 1u << i;
  }
  bool carry = false;
  if (adder.bits == Bits::lower_or_carry) carry = bit(a, low - 1) && bit(b, low - 1);
  if (adder.bits == Bits::copied) carry = bit(a, low - 1);
  ripple(a, b, low, width, carry, &sum);
  return sum;
}

int64_t add(const Accumulation& acc, int64_t a, int64_t b) {
  const int64_t range = int64_t{1} << acc.width, least = -(range / 2), most = range / 2 - 1;
  const uint32_t mask = static_cast<uint32_t>(range - 1);
  int64_t sum = add_bits(acc.adder, acc.width, static_cast<uint32_t>(a) & mask, static_cast<uint32_t>(b) & mask);
  if (sum > most) sum -= range;
  if (acc.saturate && (a < 0) == (b < 0) && (sum < 0) != (a < 0)) return a < 0 ? least : most;
  return sum;
}

// `product(k)` for 0 <= k < count.
template <typename Product>
int32_t total(const Accumulation& acc, int64_t count, const Product& product) {
  int64_t sum = 0;
  for (int64_t first = 0; first < count; first += acc.group) {
    std::vector<int64_t> group(static_cast<size_t>(acc.group), 0);
    for (int64_t k = first; k < std::min(count, first + acc.group); ++k) group[k - first] = product(k);
    if (acc.chained) {
      int64_t column = 0;
      for (const int64_t value : group) column = add(acc, column, value);
      sum = add(acc, sum, column);
      continue;
    }
    for (; group.size() > 1; group.resize(group.size() / 2)) {
      for (size_t i = 0; i < group.size() / 2; ++i) group[i] = add(acc, group[2 * i], group[2 * i + 1]);
    }
    sum = add(acc, sum, group[0]);
  }
  return static_cast<int32_t>(sum);
}

}  // namespace

void reference_sequential_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, const Accumulation& acc, int64_t m, int64_t n, int64_t k,
                               int32_t* out) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      out[row * n + column] = total(acc, k, [&](int64_t i) { return lut.at(a[row * k + i], b[column * k + i]); });
    }
  }
}

void reference_sequential_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Accumulation& acc, const Convolution& s,
                               int32_t* out) {
  for (int64_t index = 0; index < s.batch * s.out_channels * s.pixels(); ++index) {
    const int64_t x = index % s.out_w, y = index / s.out_w % s.out_h, o = index / s.pixels() % s.out_channels;
    const int64_t image = index / (s.pixels() * s.out_channels);
    out[index] = total(acc, s.window(), [&](int64_t k) {
      const int64_t channel = k / (s.kernel_h * s.kernel_w), i = k / s.kernel_w % s.kernel_h, j = k % s.kernel_w;
      const int64_t in_y = y * s.stride_h - s.pad_top + i * s.dilation_h, in_x = x * s.stride_w - s.pad_left + j * s.dilation_w;
      const bool inside = in_y >= 0 && in_y < s.height && in_x >= 0 && in_x < s.width;
      const int64_t plane = image * s.channels + o / s.group_out() * s.group_in() + channel;
      return lut.at(inside ? a[(plane * s.height + in_y) * s.width + in_x] : s.pad_code, w[o * s.window() + k]);
    });
  }
}

}  // namespace inexact
