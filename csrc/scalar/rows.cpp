// Portable path: the 1 KB row of a fixed operand stays in L1 while the vector of the other operand runs over it.
#include <algorithm>
#include <cstring>
#include <vector>

#include "inexact.hpp"
#include "scalar/rows.hpp"

namespace inexact {
namespace {

constexpr int64_t kCodes = 256;

class ScalarRows final : public RowTable {
 public:
  // All 256 x 256 entries exist, so that no code can read outside the table.
  explicit ScalarRows(const Lut& lut) : rows_(kCodes * kCodes, 0) {
    constexpr int64_t tile = 16;  // both the rows read and the rows written stay in L1, whichever way the table lies
    for (int64_t r0 = 0; r0 < lut.rows; r0 += tile) {
      for (int64_t c0 = 0; c0 < lut.columns; c0 += tile) {
        for (int64_t r = r0; r < std::min(r0 + tile, lut.rows); ++r) {
          for (int64_t c = c0; c < std::min(c0 + tile, lut.columns); ++c) rows_[r * kCodes + c] = static_cast<uint32_t>(lut.at(r, c));
        }
      }
    }
  }

  void sum(const uint8_t* codes, int64_t count, const uint8_t* stream, const int64_t* offsets, int64_t length,
           int32_t* out) const override {
    auto* total = reinterpret_cast<uint32_t*>(out);
    std::fill(total, total + length, 0u);
    int64_t k = 0;
    // Four taps share one load and store of the running sums.
    for (; k + 4 <= count; k += 4) {
      const uint32_t *r0 = row(codes[k]), *r1 = row(codes[k + 1]), *r2 = row(codes[k + 2]), *r3 = row(codes[k + 3]);
      const uint8_t *s0 = stream + offsets[k], *s1 = stream + offsets[k + 1], *s2 = stream + offsets[k + 2], *s3 = stream + offsets[k + 3];
      for (int64_t p = 0; p < length; ++p) total[p] += (r0[s0[p]] + r1[s1[p]]) + (r2[s2[p]] + r3[s3[p]]);
    }
    for (; k < count; ++k) {
      const uint32_t* r0 = row(codes[k]);
      const uint8_t* s0 = stream + offsets[k];
      for (int64_t p = 0; p < length; ++p) total[p] += r0[s0[p]];
    }
  }

 private:
  const uint32_t* row(uint8_t code) const { return rows_.data() + code * kCodes; }

  std::vector<uint32_t> rows_;  // unsigned: sums are taken modulo 2^32
};

}  // namespace

std::unique_ptr<RowTable> scalar_rows(const Lut& lut) { return std::make_unique<ScalarRows>(lut); }

RowCost scalar_row_cost() { return {1024, 1, 4.0, 1.3}; }

}  // namespace inexact
