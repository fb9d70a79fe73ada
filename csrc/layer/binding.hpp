#pragma once

#include <nanobind/nanobind.h>

namespace inexact {

// Adds the operations on whole layers to the module.
void bind_layers(nanobind::module_& m);

}  // namespace inexact
