// The bit-sliced arithmetic, written once over vectors and compiled for each instruction set; include it in one file per path.
#include <algorithm>
#include <cstring>

#include "evolution/evolution.hpp"

namespace inexact::evolution {
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef uint64_t Words __attribute__((vector_size(kBytes), may_alias));
typedef uint32_t Narrow __attribute__((vector_size(kBytes), may_alias));

constexpr int64_t kVector = kBytes / 8;
constexpr int32_t kMaxBits = 20;

int64_t count(const uint64_t* words, int64_t n) {
  int64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += __builtin_popcountll(words[i]);
  return sum;
}

int64_t count_both(const uint64_t* x, const uint64_t* y, int64_t n) {
  int64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += __builtin_popcountll(x[i] & y[i]);
  return sum;
}

inline __attribute__((always_inline)) bool any(const Words& v) {
  uint64_t all = 0;
  for (int i = 0; i < kVector; ++i) all |= v[i];
  return all != 0;
}

// The bits of approx - exact of one vector; the last one is its sign.
inline __attribute__((always_inline)) void difference(const uint64_t* const* approx, const uint64_t* const* exact, int32_t bits, int64_t v, Words* d) {
  Words borrow = {};
  for (int32_t i = 0; i < bits; ++i) {
    const Words p = *reinterpret_cast<const Words*>(approx[i] + v), q = *reinterpret_cast<const Words*>(exact[i] + v);
    const Words differ = p ^ q;
    d[i] = differ ^ borrow;
    borrow = (~p & q) | (~differ & borrow);
  }
}

void gate(int32_t op, const uint64_t* x_, const uint64_t* y_, const uint64_t* z_, uint64_t* out0, uint64_t* out1, int64_t words) {
  const Words *x = reinterpret_cast<const Words*>(x_), *y = reinterpret_cast<const Words*>(y_), *z = reinterpret_cast<const Words*>(z_);
  Words *o = reinterpret_cast<Words*>(out0), *c = reinterpret_cast<Words*>(out1);
  const int64_t vectors = words / kVector;
#define EACH(expression) \
  for (int64_t i = 0; i < vectors; ++i) o[i] = (expression); \
  break
  switch (op) {
    case kNot: EACH(~x[i]);
    case kAnd: EACH(x[i] & y[i]);
    case kOr: EACH(x[i] | y[i]);
    case kXor: EACH(x[i] ^ y[i]);
    case kNand: EACH(~(x[i] & y[i]));
    case kNor: EACH(~(x[i] | y[i]));
    case kXnor: EACH(~(x[i] ^ y[i]));
    case kMux: EACH((x[i] & z[i]) | (~x[i] & y[i]));
    case kHalf:
      for (int64_t i = 0; i < vectors; ++i) {
        const Words a = x[i], b = y[i];
        o[i] = a ^ b;
        c[i] = a & b;
      }
      break;
    default:
      for (int64_t i = 0; i < vectors; ++i) {
        const Words a = x[i], b = y[i], d = z[i];
        o[i] = a ^ b ^ d;
        c[i] = (a & b) | (d & (a | b));
      }
  }
#undef EACH
}

void sums(const uint64_t* const* approx, const uint64_t* const* exact, int32_t bits, const uint64_t* zero, const Wanted& wanted, int64_t words,
          Sums& result) {
  alignas(64) uint64_t size[kMaxBits][kBlockWords], sign[kBlockWords], wrong[kBlockWords];
  const bool whole = wanted.square || wanted.limit >= 0 || wanted.signed_sum;
  Words zero_wrong = {}, too_large = {};
  for (int64_t v = 0; v < words; v += kVector) {
    Words d[kMaxBits], some = {}, above = {}, equal = ~Words{};
    difference(approx, exact, bits, v, d);
    const Words negative = d[bits - 1];
    Words carry = negative;
    // |d| = (d ^ sign) + sign; the last addition is left to the counts where nobody needs the bits themselves
    for (int32_t i = 0; i < bits; ++i) {
      some |= d[i];
      Words flipped = d[i] ^ negative;
      if (whole) {
        const Words sum = flipped ^ carry;
        carry = flipped & carry;
        flipped = sum;
      }
      d[i] = flipped;
      *reinterpret_cast<Words*>(size[i] + v) = flipped;
    }
    *reinterpret_cast<Words*>(sign + v) = negative;
    *reinterpret_cast<Words*>(wrong + v) = some;
    zero_wrong |= some & *reinterpret_cast<const Words*>(zero + v);
    if (wanted.limit < 0) continue;
    for (int32_t i = bits - 1; i >= 0; --i) {
      if (wanted.limit >> i & 1) {
        equal &= d[i];
      } else {
        above |= equal & d[i];
        equal &= ~d[i];
      }
    }
    too_large |= above;
  }
  result.zero_wrong |= any(zero_wrong);
  result.too_large |= any(too_large);
  if (result.too_large || (wanted.zero_exact && result.zero_wrong)) return;
  int64_t absolute = whole ? 0 : count(sign, words);
  for (int32_t i = 0; i < bits; ++i) absolute += count(size[i], words) << i;
  result.absolute += absolute;
  if (wanted.wrong) result.wrong += count(wrong, words);
  if (wanted.signed_sum) {
    int64_t below = 0;
    for (int32_t i = 0; i < bits; ++i) below += count_both(size[i], sign, words) << i;
    result.error += absolute - 2 * below;
  }
  if (!wanted.square) return;
  for (int32_t i = 0; i < bits; ++i) {
    int64_t mixed = 0;
    for (int32_t j = 0; j < i; ++j) mixed += count_both(size[i], size[j], words) << (j + 1);
    result.square += (count(size[i], words) << (2 * i)) + (mixed << i);
  }
}

template <int S>
inline __attribute__((always_inline)) void exchange(uint32_t (*at)[2 * kBlockWords], int64_t columns, uint32_t mask) {
  for (int64_t i = 0; i < 32; ++i) {
    if (i & S) continue;
    Narrow* x = reinterpret_cast<Narrow*>(at[i]);
    Narrow* y = reinterpret_cast<Narrow*>(at[i + S]);
    for (int64_t c = 0; c < columns / (kBytes / 4); ++c) {
      const Narrow swap = ((x[c] >> S) ^ y[c]) & mask;
      x[c] ^= swap << S;
      y[c] ^= swap;
    }
  }
}

void moments(const uint64_t* const* approx, const uint64_t* const* exact, int32_t bits, int64_t words, const Weights& weights, const double* weight_a,
             Moments& result) {
  alignas(64) uint32_t at[32][2 * kBlockWords];
  const int64_t columns = 2 * words, per = weights.per, rows = columns / per;
  for (int64_t v = 0; v < words; v += kVector) {
    Words d[kMaxBits];
    difference(approx, exact, bits, v, d);
    for (int32_t i = 0; i < 32; ++i) std::memcpy(&at[i][2 * v], &d[std::min(i, bits - 1)], sizeof(Words));
  }
  exchange<16>(at, columns, 0x0000FFFFu);
  exchange<8>(at, columns, 0x00FF00FFu);
  exchange<4>(at, columns, 0x0F0F0F0Fu);
  exchange<2>(at, columns, 0x33333333u);
  exchange<1>(at, columns, 0x55555555u);
  // at[l][c]: the error of pair 32 c + l
  alignas(64) double linear[2 * kBlockWords] = {}, square[2 * kBlockWords] = {};
  for (int64_t l = 0; l < 32; ++l) {
    alignas(64) double e[2 * kBlockWords];
    const int32_t* errors = reinterpret_cast<const int32_t*>(at[l]);
    const double* w = weights.b + l * columns;
    for (int64_t c = 0; c < columns; ++c) e[c] = static_cast<double>(errors[c]);
    if (weights.column) {
      double* column = result.column + l * per;
      for (int64_t a = 0; a < rows; ++a) {
        for (int64_t j = 0; j < per; ++j) column[j] += weight_a[a] * e[a * per + j];
      }
    }
    if (weights.absolute) {
      for (int64_t c = 0; c < columns; ++c) linear[c] += w[c] * (e[c] < 0.0 ? -e[c] : e[c]);
      continue;
    }
    for (int64_t c = 0; c < columns; ++c) {
      const double weighed = w[c] * e[c];
      linear[c] += weighed;
      square[c] += weighed * e[c];
    }
  }
  for (int64_t a = 0; a < rows; ++a) {
    double first = 0.0, second = 0.0;
    for (int64_t j = 0; j < per; ++j) {
      first += linear[a * per + j];
      second += square[a * per + j];
    }
    result.row[a] = first;
    result.row_square[a] = second;
  }
}

}  // namespace
}  // namespace inexact::evolution
