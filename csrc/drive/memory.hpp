// Memory aligned to vectors, freed with its pointer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace inexact {

struct FreeBytes {
  void operator()(void* memory) const { std::free(memory); }
};
using Bytes = std::unique_ptr<uint8_t[], FreeBytes>;

inline Bytes aligned_bytes(int64_t size) {
  Bytes memory(static_cast<uint8_t*>(std::aligned_alloc(64, static_cast<size_t>((std::max<int64_t>(size, 1) + 63) / 64 * 64))));
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace inexact
