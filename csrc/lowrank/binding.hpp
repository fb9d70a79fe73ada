#pragma once

#include <nanobind/nanobind.h>

namespace inexact::lowrank {

// Adds the lowrank engine to the module.
void bind(nanobind::module_& m);

}  // namespace inexact::lowrank
