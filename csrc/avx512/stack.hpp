// Stacked products of the AVX-512 path.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inexact.hpp"

namespace inexact {

std::unique_ptr<Stack> avx512_stack(const Lut& lut);
// Rows of bytes, for tables whose columns span less than 256; least: of each column.
std::unique_ptr<Stack> avx512_byte_stack(const Lut& lut, std::vector<int32_t> least);
StackCost avx512_stack_cost(uint32_t span);

}  // namespace inexact
