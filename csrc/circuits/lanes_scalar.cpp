// The lane arithmetic for any processor.
#include "circuits/lanes.hpp"

namespace inexact {

const LanePath& scalar_lanes() { return path; }

}  // namespace inexact
