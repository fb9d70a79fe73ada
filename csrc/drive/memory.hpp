// Memory of one call, aligned to vectors. Large blocks are kept for the next call: where the C library returns them to the system, which it
// does after every call for some sizes, touching their pages anew can take longer than the sums.
#pragma once

#include <cstdint>
#include <memory>

namespace inexact {

struct FreeBytes {
  int64_t size = 0;
  void operator()(void* memory) const;
};
using Bytes = std::unique_ptr<uint8_t[], FreeBytes>;

// Not initialised. Throws std::bad_alloc.
Bytes aligned_bytes(int64_t size);

}  // namespace inexact
