// Stacked products of the AVX-512 path.
#pragma once

#include <cstdint>
#include <memory>

#include "inexact.hpp"

namespace inexact {

std::unique_ptr<Stack> avx512_stack(const Lut& lut);
StackCost avx512_stack_cost(uint32_t span);

}  // namespace inexact
