// Which paths this processor can run.
#include "inexact.hpp"

namespace inexact {

bool isa_supported(const std::string& isa) {
  if (isa == "scalar") return true;
#ifdef INEXACT_AVX512
  if (isa == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  }
#endif
#ifdef INEXACT_AVX2
  if (isa == "avx2") return __builtin_cpu_supports("avx2");
#endif
  return false;
}

const Path& path_for(const std::string& isa) {
#ifdef INEXACT_AVX512
  if (isa == "avx512") return avx512_path();
#endif
#ifdef INEXACT_AVX2
  if (isa == "avx2") return avx2_path();
#endif
  return scalar_path();
}

}  // namespace inexact
