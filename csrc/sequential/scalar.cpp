// Portable path: the row of a fixed code in L1, one lane at a time; loops over a block are left to the compiler to vectorise.
#include <vector>

#include "sequential/lanes.hpp"

namespace inexact {
namespace {

constexpr int64_t kCodes = 256;

class ScalarPath {
 public:
  using Lanes = uint32_t;
  static constexpr int kLanes = 64, kBlock = 64;

  struct Sign {
    static uint32_t of(uint32_t value) { return static_cast<uint32_t>(static_cast<int32_t>(value) >> 31); }
  };

  // All 256 x 256 entries exist, so that no code can read outside the table.
  ScalarPath(const Lut& lut, int shift) : rows_(kCodes * kCodes, 0) {
    for (int64_t r = 0; r < lut.rows; ++r) {
      for (int64_t c = 0; c < lut.columns; ++c) rows_[r * kCodes + c] = static_cast<uint32_t>(lut.at(r, c)) << shift;
    }
  }

  void products(uint8_t code, const uint8_t* stream, int64_t length, uint32_t* out) const {
    const uint32_t* row = rows_.data() + code * kCodes;
    for (int64_t i = 0; i < length; ++i) out[i] = row[stream[i]];
    for (int64_t i = length; i < kBlock; ++i) out[i] = 0;
  }

  static void store(const uint32_t* sums, int64_t length, int shift, int32_t* out) {
    for (int64_t i = 0; i < length; ++i) out[i] = static_cast<int32_t>(sums[i]) >> shift;
  }

 private:
  std::vector<uint32_t> rows_;
};

}  // namespace

std::unique_ptr<Sequence> scalar_sequence(const Lut& lut, const Accumulation& acc) { return lanes::make<ScalarPath>(lut, acc); }

MakeSequence sequence_for(const std::string& isa) {
#ifdef INEXACT_AVX512
  if (isa == "avx512") return &avx512_sequence;
#endif
  return &scalar_sequence;
}

}  // namespace inexact
