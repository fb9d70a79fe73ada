#include "drive/table.hpp"

namespace inexact {
namespace {

std::vector<int32_t> products_of(const Lut& lut) {
  std::vector<int32_t> products;
  products.reserve(static_cast<size_t>(lut.rows * lut.columns));
  for (int64_t r = 0; r < lut.rows; ++r) {
    for (int64_t c = 0; c < lut.columns; ++c) products.push_back(lut.at(r, c));
  }
  return products;
}

}  // namespace

Table::Table(const Lut& lut)
    : values_(products_of(lut)), lut_{values_.data(), lut.rows, lut.columns, lut.columns, 1}, spans_(spans_of(lut_)) {}

const RowTable& Table::rows(const Path& path, bool of_weights) const {
  return rows_.of({&path, of_weights}, [&] { return path.rows(of_weights ? lut_.transposed() : lut_); });
}

// How many outputs a stack has to serve decides only how many lie side by side.
const Stack& Table::stack(const Path& path, bool of_weights, int64_t outputs) const {
  const int64_t lanes = path.stack_cost(of_weights ? spans_.row : spans_.column, outputs).lanes;
  return stacks_.of({&path, of_weights, lanes}, [&] { return path.stack(of_weights ? lut_.transposed() : lut_, outputs); });
}

}  // namespace inexact
