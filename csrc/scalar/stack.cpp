// Portable path, products stacked by code (inexact.hpp): rows of 16 outputs in 32 bits, loops that compilers turn into vectors.
#include <algorithm>
#include <vector>

#include "inexact.hpp"
#include "scalar/rows.hpp"

namespace inexact {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kCodes = 256;

// One line apart from a power of two: the rows that one code has in all taps would else share a set of the cache.
int64_t tap_products(int64_t codes) { return (codes + 1) * kLanes; }

class PortableStack final : public Stack {
 public:
  explicit PortableStack(const Lut& lut) : codes_(lut.rows), products_(static_cast<size_t>(kCodes * lut.rows)) {
    for (int64_t b0 = 0; b0 < lut.columns; b0 += 16) {  // whichever way the table lies, what is read and written stays in L1
      for (int64_t a = 0; a < lut.rows; ++a) {
        for (int64_t b = b0; b < std::min(b0 + 16, lut.columns); ++b) products_[b * codes_ + a] = static_cast<uint32_t>(lut.at(a, b));
      }
    }
  }

  int64_t lanes() const override { return kLanes; }
  int64_t bytes(int64_t taps) const override { return taps * tap_products(codes_) * static_cast<int64_t>(sizeof(uint32_t)); }
  void begin(const Taps&, int32_t* totals) const override { std::fill(totals, totals + kLanes, 0); }

  void build(const Taps& taps, uint8_t* rows) const override {
    for (int64_t k = 0; k < taps.count; ++k) {
      auto* row = reinterpret_cast<uint32_t*>(rows) + k * tap_products(codes_);
      const uint32_t* column[kLanes];
      for (int64_t o = 0; o < kLanes; ++o) {
        column[o] = products_.data() + (o < taps.outputs ? taps.weights[o * taps.step + k] : 0) * codes_;
      }
      for (int64_t code = 0; code < codes_; ++code, row += kLanes) {
        for (int64_t o = 0; o < kLanes; ++o) row[o] = column[o][code];
      }
    }
  }

  void add(const uint8_t* rows, int64_t taps, const uint8_t* codes, const int64_t* offsets, const int64_t* places, int64_t count,
           uint8_t*, int32_t* totals) const override {
    const auto* products = reinterpret_cast<const uint32_t*>(rows);
    for (int64_t p = 0; p < count; ++p) {
      auto* total = reinterpret_cast<uint32_t*>(totals) + p * kLanes;
      uint32_t sum[kLanes];
      std::copy(total, total + kLanes, sum);
      for (int64_t k = 0; k < taps; ++k) {
        const uint32_t* row = products + k * tap_products(codes_) + codes[offsets[k] + places[p]] * kLanes;
        for (int64_t o = 0; o < kLanes; ++o) sum[o] += row[o];
      }
      std::copy(sum, sum + kLanes, total);
    }
  }

  void take(const int32_t* sums, int64_t count, int32_t* totals) const override {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t o = 0; o < kLanes; ++o) {
        int32_t& total = totals[p * kLanes + o];
        total = static_cast<int32_t>(static_cast<uint32_t>(total) + static_cast<uint32_t>(sums[p * kLanes + o]));
      }
    }
  }

  void by_output(const int32_t* totals, int64_t count, int32_t* out) const override {
    for (int64_t o = 0; o < kLanes; ++o) {
      for (int64_t p = 0; p < count; ++p) out[o * kPlaces + p] = totals[p * kLanes + o];
    }
  }

  void by_place(const int32_t* totals, int64_t count, int32_t* out) const override { std::copy(totals, totals + count * kLanes, out); }

 private:
  int64_t codes_;
  std::vector<uint32_t> products_;  // [256 weights][codes]; unsigned: sums are taken modulo 2^32
};

class ScalarPath final : public Path {
 public:
  std::unique_ptr<RowTable> rows(const Lut& lut) const override { return scalar_rows(lut); }
  RowCost row_cost(uint32_t) const override { return scalar_row_cost(); }
  std::unique_ptr<Stack> stack(const Lut& lut, int64_t) const override { return std::make_unique<PortableStack>(lut); }
  StackCost stack_cost(uint32_t, int64_t) const override { return {kLanes, 16.0, 5.0, 24.0}; }
};

}  // namespace

const Path& scalar_path() {
  static const ScalarPath path;
  return path;
}

}  // namespace inexact
