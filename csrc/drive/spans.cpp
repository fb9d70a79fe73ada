#include "drive/spans.hpp"

#include <algorithm>
#include <vector>

namespace inexact {
namespace {

uint32_t difference(int32_t most, int32_t least) { return static_cast<uint32_t>(most) - static_cast<uint32_t>(least); }

// For a table whose rows are contiguous.
uint32_t row_span(const Lut& lut) {
  uint32_t span = 0;
  for (int64_t r = 0; r < lut.rows; ++r) {
    const int32_t* row = lut.values + r * lut.row_step;
    int32_t low = row[0], high = low;
    for (int64_t c = 0; c < lut.columns; ++c) {
      low = std::min(low, row[c]);
      high = std::max(high, row[c]);
    }
    span = std::max(span, difference(high, low));
  }
  return span;
}

// For a table whose rows are contiguous.
Columns columns_along(const Lut& lut) {
  Columns found{std::vector<int32_t>(lut.values, lut.values + lut.columns), 0};
  std::vector<int32_t> most = found.least;
  for (int64_t r = 1; r < lut.rows; ++r) {
    const int32_t* row = lut.values + r * lut.row_step;
    for (int64_t c = 0; c < lut.columns; ++c) {
      found.least[c] = std::min(found.least[c], row[c]);
      most[c] = std::max(most[c], row[c]);
    }
  }
  for (int64_t c = 0; c < lut.columns; ++c) found.span = std::max(found.span, difference(most[c], found.least[c]));
  return found;
}

}  // namespace

Columns columns_of(const Lut& lut) {
  if (lut.column_step == 1) return columns_along(lut);
  Columns found{std::vector<int32_t>(static_cast<size_t>(lut.columns)), 0};
  for (int64_t c = 0; c < lut.columns; ++c) {  // the rows of the table as it lies
    const int32_t* column = lut.values + c * lut.column_step;
    const auto [low, high] = std::minmax_element(column, column + lut.rows);
    found.least[c] = *low;
    found.span = std::max(found.span, difference(*high, *low));
  }
  return found;
}

Spans spans_of(const Lut& lut) {
  if (lut.column_step == 1) return {row_span(lut), columns_of(lut).span};
  const Spans turned = spans_of(lut.transposed());
  return {turned.column, turned.row};
}

}  // namespace inexact
