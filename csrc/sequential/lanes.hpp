// One source for every instruction set: adders on lanes of 32 bits, and the orders in which they are applied.
//
// Values lie left-aligned in their lanes: an accumulator of w bits is shifted by 32 - w. Then the carry out falls off by itself, and the
// top bit is the sign whatever the width. The zeros below the value add up to zeros under every adder.
//
// L is uint32_t or a vector of them; the operators are those of the language (and of its vector extensions).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "sequential/sequential.hpp"

namespace inexact {
namespace lanes {

// Bits [0, count) of a value, where a left-aligned one has them. 64 bits: shifting 32 of 32 bits is undefined.
inline uint32_t low_bits(int count, int shift) { return static_cast<uint32_t>(((uint64_t{1} << count) - 1) << shift); }

struct Exact {
  Exact(const Adder&, int) {}
  template <typename L>
  L operator()(L a, L b) const {
    return a + b;
  }
};

struct Truncated {
  uint32_t upper;
  Truncated(const Adder& adder, int shift) : upper(~low_bits(adder.low, shift)) {}
  template <typename L>
  L operator()(L a, L b) const {
    return (a & upper) + (b & upper);
  }
};

struct LowerOr {
  uint32_t lower;
  LowerOr(const Adder& adder, int shift) : lower(low_bits(adder.low, shift)) {}
  template <typename L>
  L operator()(L a, L b) const {
    return ((a & ~lower) + (b & ~lower)) | ((a | b) & lower);
  }
};

// The top bits of the lower parts stay in the sum: two ones there give the carry; their own place is overwritten by the OR.
struct LowerOrCarry {
  uint32_t lower, summed;
  LowerOrCarry(const Adder& adder, int shift) : lower(low_bits(adder.low, shift)), summed(~low_bits(adder.low - 1, shift)) {}
  template <typename L>
  L operator()(L a, L b) const {
    return (((a & summed) + (b & summed)) & ~lower) | ((a | b) & lower);
  }
};

struct Copied {
  uint32_t lower, top;
  Copied(const Adder& adder, int shift) : lower(low_bits(adder.low, shift)), top(1u << (adder.low - 1 + shift)) {}
  template <typename L>
  L operator()(L a, L b) const {
    return ((a & ~lower) + (b & ~lower) + ((a & top) << 1)) | (b & lower);
  }
};

struct Saturated {
  uint32_t lower;
  int low;
  Saturated(const Adder& adder, int shift) : lower(low_bits(adder.low, shift)), low(adder.low) {}
  template <typename L>
  L operator()(L a, L b) const {
    L ones = a & b & lower;
    for (int reach = 1; reach < low; reach *= 2) ones |= ones >> reach;
    return ((a & ~lower) + (b & ~lower)) | ((a ^ b) & lower) | (ones & lower);
  }
};

// Every segment is summed apart (its top bits by XOR, so that nothing crosses), then the speculated carries are added likewise.
struct Segmented {
  uint32_t starts = 0, tops = 0;
  int reach;
  Segmented(const Adder& adder, int shift) : reach(adder.reach) {
    for (int place = adder.reach + shift; place < 32; place += adder.step) {
      starts |= 1u << place;
      if (place > 0) tops |= 1u << (place - 1);
    }
  }
  template <typename L>
  L operator()(L a, L b) const {
    const L differ = a ^ b, sum = ((a & ~tops) + (b & ~tops)) ^ (differ & tops);
    const L carries = (generated(a & b, differ) << 1) & starts;
    return ((sum & ~tops) + carries) ^ (sum & tops);
  }

 private:
  // At each bit: whether the `reach` bits that end there carry out. Spans of 1, 2, 4, ... bits are put together as `reach` has them.
  template <typename L>
  L generated(L generate, L propagate) const {
    L found = generate & 0u, through = ~found;
    int done = 0, span = 1;
    for (int rest = reach; rest > 0; rest /= 2, span *= 2) {
      if (rest & 1) {
        found |= through & (generate << done);
        through &= propagate << done;
        done += span;
      }
      if (rest > 1) {
        generate |= propagate & (generate << span);
        propagate &= propagate << span;
      }
    }
    return found;
  }
};

template <typename Add>
struct Step {
  Add add;
  bool saturate;
  uint32_t least, most;

  explicit Step(const Accumulation& acc)
      : add(acc.adder, 32 - acc.width), saturate(acc.saturate), least(0x80000000u), most(0x7FFFFFFFu & ~low_bits(32 - acc.width, 0)) {}

  // a[i] = a[i] + b[i]. Sign: all ones in lanes whose top bit is set.
  template <typename Sign, int N, typename L>
  void operator()(L* a, const L* b) const {
    if (!saturate) {
      for (int i = 0; i < N; ++i) a[i] = add(a[i], b[i]);
      return;
    }
    for (int i = 0; i < N; ++i) {
      const L sum = add(a[i], b[i]), overflown = Sign::of((a[i] ^ sum) & (b[i] ^ sum));
      const L limit = most ^ (Sign::of(a[i]) & (most ^ least));
      a[i] = sum ^ ((sum ^ limit) & overflown);
    }
  }
};

// Path: Lanes, kLanes (vectors of a block), kBlock (outputs of a block), Sign, products(code, stream, length, out), store(sums, length,
// shift, out). `length` < kBlock in the last block only.
template <typename Path, typename Add>
class Lanewise final : public Sequence {
 public:
  Lanewise(const Lut& lut, const Accumulation& acc) : path_(lut, 32 - acc.width), step_(acc), acc_(acc) {}

  int64_t block() const override { return Path::kBlock; }

  void sum(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length,
           int32_t* out) const override {
    for (int64_t p = 0; p < length; p += Path::kBlock) {
      const int64_t rest = std::min<int64_t>(Path::kBlock, length - p);
      Lanes total[N];
      zero(total);
      if (acc_.chained) {
        chain(codes, count, stream + p, offsets, rest, total);
      } else if (acc_.group > 1) {
        tree(codes, count, stream + p, offsets, rest, total);
      } else {
        for (int64_t k = 0; k < count; ++k) {
          Lanes product[N];
          path_.products(codes[k], stream + p + offsets[k], rest, product);
          add(total, product);
        }
      }
      Path::store(total, rest, 32 - acc_.width, out + p);
    }
  }

 private:
  using Lanes = typename Path::Lanes;
  static constexpr int N = Path::kLanes;
  static constexpr int kLevels = 9;  // of a tree of 256 products

  static void zero(Lanes* lanes) {
    for (int i = 0; i < N; ++i) lanes[i] = Lanes{};
  }

  void add(Lanes* a, const Lanes* b) const { step_.template operator()<typename Path::Sign, N>(a, b); }

  void chain(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length, Lanes* total) const {
    // Under the other adders x + 0 is x.
    const bool zeros_count = acc_.adder.bits == Bits::truncated || acc_.adder.bits == Bits::copied;
    for (int64_t first = 0; first < count; first += acc_.group) {
      const int64_t last = std::min(count, first + acc_.group);
      Lanes column[N], product[N];
      zero(column);
      for (int64_t k = first; k < last; ++k) {
        path_.products(codes[k], stream + offsets[k], length, product);
        add(column, product);
      }
      zero(product);
      for (int64_t k = last; zeros_count && k < first + acc_.group; ++k) add(column, product);
      add(total, column);
    }
  }

  // Product k meets the finished partial sums to its left, as a binary counter carries.
  void tree(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length, Lanes* total) const {
    Lanes partial[kLevels][N];
    for (int64_t first = 0; first < count; first += acc_.group) {
      for (int64_t place = 0; place < acc_.group; ++place) {
        Lanes sum[N];
        const int64_t k = first + place;
        if (k < count) {
          path_.products(codes[k], stream + offsets[k], length, sum);
        } else {
          zero(sum);
        }
        int level = 0;
        for (int64_t rest = place; rest & 1; rest /= 2, ++level) {
          add(partial[level], sum);
          std::copy(partial[level], partial[level] + N, sum);
        }
        std::copy(sum, sum + N, partial[level]);
        if (place + 1 == acc_.group) add(total, sum);
      }
    }
  }

  Path path_;
  Step<Add> step_;
  Accumulation acc_;
};

template <typename Path>
std::unique_ptr<Sequence> make(const Lut& lut, const Accumulation& acc) {
  const bool plain = acc.adder.bits != Bits::segmented && acc.adder.low == 0;  // no lower part: exact, whatever it would have been
  switch (plain ? Bits::exact : acc.adder.bits) {
    case Bits::truncated: return std::make_unique<Lanewise<Path, Truncated>>(lut, acc);
    case Bits::lower_or: return std::make_unique<Lanewise<Path, LowerOr>>(lut, acc);
    case Bits::lower_or_carry: return std::make_unique<Lanewise<Path, LowerOrCarry>>(lut, acc);
    case Bits::copied: return std::make_unique<Lanewise<Path, Copied>>(lut, acc);
    case Bits::saturated: return std::make_unique<Lanewise<Path, Saturated>>(lut, acc);
    case Bits::segmented: return std::make_unique<Lanewise<Path, Segmented>>(lut, acc);
    default: return std::make_unique<Lanewise<Path, Exact>>(lut, acc);
  }
}

}  // namespace lanes
}  // namespace inexact
