// The lane arithmetic, written once over vectors of 64 bytes and compiled for each instruction set; include it in one file per path.
// Everything here is local to the file that includes it: nothing compiled for newer instructions may leak into another.
#include <cstring>

#include "circuits/circuits.hpp"

namespace inexact {
namespace {

typedef uint64_t Words __attribute__((vector_size(64), may_alias));
typedef double Doubles __attribute__((vector_size(64), may_alias));
typedef int64_t Longs __attribute__((vector_size(64), may_alias));

constexpr int64_t kVectors = kWords / 8;

template <typename F>
inline __attribute__((always_inline)) void each(uint64_t* slots, const Gate& g, const F& f) {
  Words* out = reinterpret_cast<Words*>(slots + g.out0 * kWords);
  const Words* x = reinterpret_cast<const Words*>(slots + g.in0 * kWords);
  const Words* y = reinterpret_cast<const Words*>(slots + g.in1 * kWords);
  for (int64_t i = 0; i < kVectors; ++i) out[i] = f(x[i], y[i]);
}

inline __attribute__((always_inline)) void mux(uint64_t* slots, const Gate& g) {
  Words* out = reinterpret_cast<Words*>(slots + g.out0 * kWords);
  const Words* s = reinterpret_cast<const Words*>(slots + g.in0 * kWords);
  const Words* x = reinterpret_cast<const Words*>(slots + g.in1 * kWords);
  const Words* y = reinterpret_cast<const Words*>(slots + g.in2 * kWords);
  for (int64_t i = 0; i < kVectors; ++i) out[i] = (s[i] & y[i]) | (~s[i] & x[i]);
}

inline __attribute__((always_inline)) void half(uint64_t* slots, const Gate& g) {
  Words* sum = reinterpret_cast<Words*>(slots + g.out0 * kWords);
  Words* carry = reinterpret_cast<Words*>(slots + g.out1 * kWords);
  const Words* x = reinterpret_cast<const Words*>(slots + g.in0 * kWords);
  const Words* y = reinterpret_cast<const Words*>(slots + g.in1 * kWords);
  for (int64_t i = 0; i < kVectors; ++i) {
    const Words a = x[i], b = y[i];
    sum[i] = a ^ b;
    carry[i] = a & b;
  }
}

inline __attribute__((always_inline)) void full(uint64_t* slots, const Gate& g) {
  Words* sum = reinterpret_cast<Words*>(slots + g.out0 * kWords);
  Words* carry = reinterpret_cast<Words*>(slots + g.out1 * kWords);
  const Words* x = reinterpret_cast<const Words*>(slots + g.in0 * kWords);
  const Words* y = reinterpret_cast<const Words*>(slots + g.in1 * kWords);
  const Words* z = reinterpret_cast<const Words*>(slots + g.in2 * kWords);
  for (int64_t i = 0; i < kVectors; ++i) {
    const Words a = x[i], b = y[i], c = z[i];
    sum[i] = a ^ b ^ c;
    carry[i] = (a & b) | (c & (a | b));
  }
}

void run(const Program& p, uint64_t* slots) {
  for (const Gate *g = p.gates, *end = p.gates + p.count; g != end; ++g) {
    switch (g->op) {
      case kNot: each(slots, *g, [](auto x, auto) { return ~x; }); break;
      case kAnd: each(slots, *g, [](auto x, auto y) { return x & y; }); break;
      case kOr: each(slots, *g, [](auto x, auto y) { return x | y; }); break;
      case kXor: each(slots, *g, [](auto x, auto y) { return x ^ y; }); break;
      case kNand: each(slots, *g, [](auto x, auto y) { return ~(x & y); }); break;
      case kNor: each(slots, *g, [](auto x, auto y) { return ~(x | y); }); break;
      case kXnor: each(slots, *g, [](auto x, auto y) { return ~(x ^ y); }); break;
      case kMux: mux(slots, *g); break;
      case kHalf: half(slots, *g); break;
      default: full(slots, *g);
    }
  }
}

// Words of type W: `rows` = bits of W, each row kLanes / rows words. Bit j of word w in row i <-> bit i of word w in row j.
template <typename W>
struct Matrix {
  static constexpr int64_t rows = 8 * sizeof(W), columns = kLanes / rows;
  typedef W Vector __attribute__((vector_size(64), may_alias));
  static constexpr int64_t vectors = columns * static_cast<int64_t>(sizeof(W)) / 64;
  alignas(64) W at[rows][columns];

  template <int S>
  inline __attribute__((always_inline)) void exchange(W mask) {
    for (int64_t i = 0; i < rows; ++i) {
      if (i & S) continue;
      Vector* x = reinterpret_cast<Vector*>(at[i]);
      Vector* y = reinterpret_cast<Vector*>(at[i + S]);
      for (int64_t v = 0; v < vectors; ++v) {
        const Vector swap = ((x[v] >> S) ^ y[v]) & mask;
        x[v] ^= swap << S;
        y[v] ^= swap;
      }
    }
  }

  void transpose() {
    if constexpr (rows == 64) exchange<32>(static_cast<W>(0x00000000FFFFFFFFull));
    exchange<16>(static_cast<W>(0x0000FFFF0000FFFFull));
    exchange<8>(static_cast<W>(0x00FF00FF00FF00FFull));
    exchange<4>(static_cast<W>(0x0F0F0F0F0F0F0F0Full));
    exchange<2>(static_cast<W>(0x3333333333333333ull));
    exchange<1>(static_cast<W>(0x5555555555555555ull));
  }

  // at[l][w] = result of lane l + rows * w, its sign or zeros above.
  void load(const Program& p, const uint64_t* slots) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t bit = i < p.output_bits ? i : p.output_bits - 1;
      const int64_t slot = i < p.output_bits || p.negative ? p.outputs[bit] : 0;
      std::memcpy(at[i], slots + slot * kWords, sizeof(at[i]));
    }
    transpose();
  }
};

template <typename W, typename Signed>
void values_of(const Program& p, const uint64_t* slots, int64_t* out) {
  Matrix<W> m;
  m.load(p, slots);
  for (int64_t w = 0; w < m.columns; ++w) {
    for (int64_t l = 0; l < m.rows; ++l) {
      out[w * m.rows + l] = p.negative ? static_cast<int64_t>(static_cast<Signed>(m.at[l][w])) : static_cast<int64_t>(m.at[l][w]);
    }
  }
}

void values(const Program& p, const uint64_t* slots, int64_t* out) {
  if (p.output_bits <= 32) {
    values_of<uint32_t, int32_t>(p, slots, out);
  } else {
    values_of<uint64_t, int64_t>(p, slots, out);
  }
}

void planes(const uint64_t* words, int64_t bits, uint64_t* out) {
  Matrix<uint64_t> m;
  for (int64_t w = 0; w < kWords; ++w) {
    for (int64_t l = 0; l < 64; ++l) m.at[l][w] = words[w * 64 + l];
  }
  m.transpose();
  std::memcpy(out, m.at, static_cast<size_t>(bits * kWords) * 8);
}

inline __attribute__((always_inline)) void add(double* sums, const Doubles& term) { *reinterpret_cast<Doubles*>(sums) += term; }

inline __attribute__((always_inline)) void raise(double* largest, const Doubles& value) {
  Doubles& held = *reinterpret_cast<Doubles*>(largest);
  held = value > held ? value : held;
}

// Every operation here is exact (integers below 2^53) but the division and the sums of squares and ratios, whose order is fixed.
template <typename W, typename Signed>
void errors_of(const Program& p, const uint64_t* slots, const ErrorBlock& block, ErrorSums& sums) {
  typedef Signed Narrow __attribute__((vector_size(8 * sizeof(W))));
  typedef W NarrowUnsigned __attribute__((vector_size(8 * sizeof(W))));
  Matrix<W> m;
  m.load(p, slots);
  const Doubles zero = {}, one = zero + 1.0;
  const Doubles step = {0, 1, 2, 3, 4, 5, 6, 7};
  ErrorSums local = sums;
  for (int64_t l = 0; l < m.rows; ++l) {
    for (int64_t w = 0; w < m.columns; w += 8) {
      Doubles approx;
      if (p.negative) {
        Narrow lanes;
        std::memcpy(&lanes, &m.at[l][w], sizeof lanes);
        approx = __builtin_convertvector(lanes, Doubles);
      } else {
        NarrowUnsigned lanes;
        std::memcpy(&lanes, &m.at[l][w], sizeof lanes);
        approx = __builtin_convertvector(lanes, Doubles);
      }
      const Doubles b = step * static_cast<double>(m.rows) + (block.b0 + static_cast<double>(l + m.rows * w));
      const Doubles exact = block.product ? b * block.a : b + block.a;
      const Doubles error = approx - exact, size = error < zero ? -error : error, magnitude = exact < zero ? -exact : exact;
      const Longs wrong = size > zero, counted = magnitude > zero;
      const Doubles ratio = counted ? size / (counted ? magnitude : one) : zero;
      const Longs near = counted & (size * 50.0 < magnitude);
      Doubles weight = one;
      if (block.weights) std::memcpy(&weight, block.weights + l * m.columns + w, sizeof weight);
      const Longs occurs = weight > zero;
      add(local.field[0], wrong ? weight : zero);
      add(local.field[1], weight * error);
      add(local.field[2], weight * size);
      add(local.field[3], weight * (size * size));
      raise(local.field[4], occurs ? size : zero);
      add(local.field[5], weight * ratio);
      raise(local.field[6], occurs ? ratio : zero);
      add(local.field[7], near ? weight : zero);
      add(local.field[8], counted ? zero : weight * size);
      add(local.field[9], counted ? zero : weight);
    }
  }
  sums = local;
}

void errors(const Program& p, const uint64_t* slots, const ErrorBlock& block, ErrorSums& sums) {
  if (p.output_bits <= 32) {
    errors_of<uint32_t, int32_t>(p, slots, block, sums);
  } else {
    errors_of<uint64_t, int64_t>(p, slots, block, sums);
  }
}

void accumulate(const Program& p, const uint64_t* slots, int64_t bits, uint64_t* sums) {
  Words carry[kVectors] = {};
  const uint64_t* above = slots + (p.negative ? p.outputs[p.output_bits - 1] * kWords : 0);
  for (int64_t bit = 0; bit < bits; ++bit) {
    const Words* x = reinterpret_cast<const Words*>(bit < p.output_bits ? slots + p.outputs[bit] * kWords : above);
    Words* held = reinterpret_cast<Words*>(sums + bit * kWords);
    for (int64_t i = 0; i < kVectors; ++i) {
      const Words a = x[i], b = held[i], c = carry[i];
      held[i] = a ^ b ^ c;
      carry[i] = (a & b) | (c & (a | b));
    }
  }
}

const LanePath path{run, values, planes, errors, accumulate};

}  // namespace
}  // namespace inexact
