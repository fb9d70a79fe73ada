// The lane arithmetic for processors with AVX-512: one vector is one register.
#include "circuits/lanes.hpp"

namespace inexact {

const LanePath& avx512_lanes() { return path; }

}  // namespace inexact
