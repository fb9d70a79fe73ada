#include "drive/memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace inexact {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kLeast = 64 << 10;  // smaller blocks are left to the C library
#ifdef __SANITIZE_ADDRESS__
constexpr int64_t kMost = 0;  // a block must end where its owner thinks it does
#else
constexpr int64_t kMost = 32 << 20;  // bytes kept by the process
#endif

struct Block {
  void* memory;
  int64_t size;
};

struct Kept {
  std::mutex guard;
  std::vector<Block> blocks;
  int64_t size = 0;
};

// Lives until the process ends: threads may free memory while it does.
Kept& kept() {
  static Kept* const all = new Kept;
  return *all;
}

// A kept block of at least `size` bytes and at most twice as many. None when another thread is at it, or was when this process was forked.
Block reuse(int64_t size) {
  Kept& all = kept();
  const std::unique_lock<std::mutex> lock(all.guard, std::try_to_lock);
  if (!lock) return {nullptr, 0};
  auto best = all.blocks.end();
  for (auto it = all.blocks.begin(); it != all.blocks.end(); ++it) {
    if (it->size >= size && it->size <= 2 * size && (best == all.blocks.end() || it->size < best->size)) best = it;
  }
  if (best == all.blocks.end()) return {nullptr, 0};
  const Block found = *best;
  all.blocks.erase(best);
  all.size -= found.size;
  return found;
}

bool keep(const Block& block) {
  Kept& all = kept();
  const std::unique_lock<std::mutex> lock(all.guard, std::try_to_lock);
  if (!lock || all.size + block.size > kMost) return false;
  all.blocks.push_back(block);
  all.size += block.size;
  return true;
}

}  // namespace

void FreeBytes::operator()(void* memory) const {
  if (size < kLeast || !keep({memory, size})) std::free(memory);
}

Bytes aligned_bytes(int64_t size) {
  const int64_t whole = (std::max<int64_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment;
  Block block = whole < kLeast ? Block{nullptr, 0} : reuse(whole);
  if (!block.memory) block = {std::aligned_alloc(kAlignment, static_cast<size_t>(whole)), whole};
  if (!block.memory) throw std::bad_alloc();
  return Bytes(static_cast<uint8_t*>(block.memory), FreeBytes{block.size});
}

}  // namespace inexact
