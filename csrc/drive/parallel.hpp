// Threads by explicit argument. Tasks are independent and each writes its own part of the output, so results do not depend on threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace inexact {

// Calls body(task) for 0 <= task < tasks on up to `threads` threads; the calling thread works too.
// Threads live only inside the call: a process may fork between calls.
template <typename Body>
void parallel_for(int64_t tasks, int threads, const Body& body) {
  const int64_t workers = std::min<int64_t>(threads, tasks);
  if (workers <= 1) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
    return;
  }
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    try {
      for (int64_t task = next++; task < tasks; task = next++) body(task);
    } catch (...) {  // out of memory in one thread must reach the caller, not end the process
      const std::lock_guard<std::mutex> lock(guard);
      failure = std::current_exception();
      next = tasks;
    }
  };
  std::vector<std::thread> pool;
  pool.reserve(static_cast<size_t>(workers - 1));
  try {
    for (int64_t i = 1; i < workers; ++i) pool.emplace_back(work);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that exist, and this one, do the work.
  }
  work();
  for (auto& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

// Threads worth starting: a thread costs some tens of microseconds.
inline int useful_threads(int64_t products, int threads) {
  constexpr int64_t enough = 1 << 18;
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, products / enough)));
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// out[j * rows + i] = in[i * columns + j]: bytes, in tiles that stay in L1.
inline void transpose_bytes(const uint8_t* in, int64_t rows, int64_t columns, uint8_t* out, int threads) {
  constexpr int64_t tile = 64;
  const int64_t across = ceil_div(columns, tile);
  parallel_for(across, threads, [&](int64_t t) {
    const int64_t j0 = t * tile, j1 = std::min(columns, j0 + tile);
    for (int64_t i0 = 0; i0 < rows; i0 += tile) {
      const int64_t i1 = std::min(rows, i0 + tile);
      for (int64_t j = j0; j < j1; ++j) {
        for (int64_t i = i0; i < i1; ++i) out[j * rows + i] = in[i * columns + j];
      }
    }
  });
}

}  // namespace inexact
