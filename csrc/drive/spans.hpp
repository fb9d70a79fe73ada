// How far the products of a table's rows and columns lie apart.
#pragma once

#include <cstdint>
#include <vector>

#include "inexact.hpp"

namespace inexact {

struct Spans {
  uint32_t row, column;  // greatest difference of two products of one row, of one column
};

Spans spans_of(const Lut& lut);

// Least product of each column, and Spans::column.
struct Columns {
  std::vector<int32_t> least;
  uint32_t span;
};

Columns columns_of(const Lut& lut);  // its rows or its columns are contiguous

}  // namespace inexact
