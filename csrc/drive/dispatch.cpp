// Which paths this processor can run.
#include "inexact.hpp"

namespace inexact {

bool isa_supported(const std::string& isa) {
  if (isa == "scalar") return true;
#ifdef INEXACT_AVX512
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi");
  }
#endif
  return false;
}

MakeRows rows_for(const std::string& isa) {
#ifdef INEXACT_AVX512
  if (isa == "avx512") return &avx512_rows;
#endif
  return &scalar_rows;
}

}  // namespace inexact
