// How far the products of a table's rows and columns lie apart.
#pragma once

#include <cstdint>

#include "inexact.hpp"

namespace inexact {

struct Spans {
  uint32_t row, column;  // greatest difference of two products of one row, of one column
};

Spans spans_of(const Lut& lut);

}  // namespace inexact
