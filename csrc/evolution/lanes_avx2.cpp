#include "evolution/lanes.hpp"

namespace inexact::evolution {

const Lanes& avx2_lanes() {
  static const Lanes lanes{gate, sums, moments};
  return lanes;
}

}  // namespace inexact::evolution
