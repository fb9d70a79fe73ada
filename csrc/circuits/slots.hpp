// Memory of one thread's simulation.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "circuits/circuits.hpp"

namespace inexact {

// Words on a boundary of 64 bytes, zeroed.
class Words64 {
 public:
  explicit Words64(int64_t words) : words_(static_cast<uint64_t*>(std::aligned_alloc(64, (static_cast<size_t>(words) * 8 + 63) / 64 * 64))) {
    if (!words_) throw std::bad_alloc();
    std::memset(words_.get(), 0, static_cast<size_t>(words) * 8);
  }
  uint64_t* get() { return words_.get(); }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint64_t, Free> words_;
};

// Slots of a program, the constants set.
class Slots {
 public:
  explicit Slots(const Program& p) : words_(p.slots * kWords) { std::memset(slot(1), 0xFF, kWords * 8); }
  uint64_t* get() { return words_.get(); }
  uint64_t* slot(int64_t s) { return words_.get() + s * kWords; }

 private:
  Words64 words_;
};

}  // namespace inexact
