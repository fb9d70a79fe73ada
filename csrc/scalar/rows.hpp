// Rows of a fixed operand without vector look-ups.
#pragma once

#include <memory>

#include "inexact.hpp"

namespace inexact {

std::unique_ptr<RowTable> scalar_rows(const Lut& lut);
RowCost scalar_row_cost();

}  // namespace inexact
