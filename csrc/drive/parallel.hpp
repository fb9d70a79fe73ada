// Threads by explicit argument. Tasks are independent and each writes its own part of the output, so results do not depend on threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>

namespace inexact {

// Runs work(data) on this thread and on up to workers - 1 others, and returns when all have. `work` must not throw.
void run_team(int workers, void (*work)(void*), void* data);

// Calls body(task) for 0 <= task < tasks on up to `threads` threads; the calling thread works too.
template <typename Body>
void parallel_for(int64_t tasks, int threads, const Body& body) {
  const int64_t workers = std::min<int64_t>(threads, tasks);
  if (workers <= 1) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
    return;
  }
  struct State {
    const Body& body;
    int64_t tasks;
    std::atomic<int64_t> next{0};
    std::exception_ptr failure;
    std::mutex guard;
  } state{body, tasks, {}, {}, {}};
  const auto work = [](void* data) {
    auto& shared = *static_cast<State*>(data);
    try {
      for (int64_t task = shared.next++; task < shared.tasks; task = shared.next++) shared.body(task);
    } catch (...) {  // out of memory in one thread must reach the caller, not end the process
      const std::lock_guard<std::mutex> lock(shared.guard);
      shared.failure = std::current_exception();
      shared.next = shared.tasks;
    }
  };
  run_team(static_cast<int>(workers), work, &state);
  if (state.failure) std::rethrow_exception(state.failure);
}

// Threads worth starting: a thread costs some tens of microseconds.
inline int useful_threads(int64_t products, int threads) {
  constexpr int64_t enough = 1 << 18;
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, products / enough)));
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Transposes 8 x 8 bytes: byte j of word i of `in` becomes byte i of word j, by exchanging blocks of 4, 2 and 1.
inline void transpose_8x8(uint64_t* word) {
  const auto exchange = [&](int i, int j, int bits, uint64_t mask) {
    const uint64_t swap = ((word[i] >> bits) ^ word[j]) & mask;
    word[i] ^= swap << bits;
    word[j] ^= swap;
  };
  for (int i = 0; i < 4; ++i) exchange(i, i + 4, 32, 0x00000000FFFFFFFFull);
  for (int i : {0, 1, 4, 5}) exchange(i, i + 2, 16, 0x0000FFFF0000FFFFull);
  for (int i : {0, 2, 4, 6}) exchange(i, i + 1, 8, 0x00FF00FF00FF00FFull);
}

// out[j * rows + i] = in[i * columns + j] for the bytes of columns [j0, j1).
inline void transpose_columns(const uint8_t* in, int64_t rows, int64_t columns, int64_t j0, int64_t j1, uint8_t* out) {
  const int64_t whole_rows = rows / 8 * 8, whole_j1 = j0 + (j1 - j0) / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8) {
    for (int64_t j = j0; j < whole_j1; j += 8) {
      uint64_t word[8];
      for (int64_t r = 0; r < 8; ++r) std::memcpy(&word[r], in + (i + r) * columns + j, 8);
      transpose_8x8(word);
      for (int64_t r = 0; r < 8; ++r) std::memcpy(out + (j + r) * rows + i, &word[r], 8);
    }
    for (int64_t r = i; r < i + 8; ++r) {
      for (int64_t j = whole_j1; j < j1; ++j) out[j * rows + r] = in[r * columns + j];
    }
  }
  for (int64_t i = whole_rows; i < rows; ++i) {
    for (int64_t j = j0; j < j1; ++j) out[j * rows + i] = in[i * columns + j];
  }
}

// out[j * rows + i] = in[i * columns + j]: bytes.
inline void transpose_bytes(const uint8_t* in, int64_t rows, int64_t columns, uint8_t* out, int threads) {
  constexpr int64_t strip = 64;
  parallel_for(ceil_div(columns, strip), threads, [&](int64_t t) {
    transpose_columns(in, rows, columns, t * strip, std::min(columns, (t + 1) * strip), out);
  });
}

}  // namespace inexact
