#include "drive/spans.hpp"

#include <algorithm>
#include <array>

namespace inexact {
namespace {

uint32_t difference(int32_t most, int32_t least) { return static_cast<uint32_t>(most) - static_cast<uint32_t>(least); }

}  // namespace

Spans spans_of(const Lut& lut) {
  if (lut.column_step != 1) {
    const Spans turned = spans_of(lut.transposed());
    return {turned.column, turned.row};
  }
  std::array<int32_t, 256> least{}, most{};
  std::copy(lut.values, lut.values + lut.columns, least.begin());
  most = least;
  Spans spans{0, 0};
  for (int64_t r = 0; r < lut.rows; ++r) {
    const int32_t* row = lut.values + r * lut.row_step;
    int32_t low = row[0], high = row[0];
    for (int64_t c = 0; c < lut.columns; ++c) {
      low = std::min(low, row[c]);
      high = std::max(high, row[c]);
      least[c] = std::min(least[c], row[c]);
      most[c] = std::max(most[c], row[c]);
    }
    spans.row = std::max(spans.row, difference(high, low));
  }
  for (int64_t c = 0; c < lut.columns; ++c) spans.column = std::max(spans.column, difference(most[c], least[c]));
  return spans;
}

}  // namespace inexact
