// Stacked products of the AVX-512 path.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inexact.hpp"

namespace inexact {

constexpr int64_t kBytes = 64;  // outputs of a row of bytes

std::unique_ptr<Stack> avx512_stack(const Lut& lut, int64_t outputs);
// Rows of bytes, for tables whose columns span less than 256; least: of each column.
std::unique_ptr<Stack> avx512_byte_stack(const Lut& lut, std::vector<int32_t> least);
StackCost avx512_stack_cost(uint32_t span, int64_t outputs);

}  // namespace inexact
