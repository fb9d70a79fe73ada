// Where threads come from.
//
// torch leaves the threads of its OpenMP runtime spinning for some milliseconds after each operator, so threads of our own would have to
// share cores with them. If the process has such a runtime, its team is borrowed; else threads are started for the call.
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "drive/parallel.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace inexact {
namespace {

// Entry point of an OpenMP runtime (GNU's; LLVM's and Intel's export it too): void (work, data, threads, flags).
using Team = void (*)(void (*)(void*), void*, unsigned, unsigned);

std::atomic<bool> forked{false};

Team team_of_process() {
#if defined(__unix__) || defined(__APPLE__)
  // A forked child inherits the runtime without its threads and would wait for them for ever.
  pthread_atfork(nullptr, nullptr, [] { forked = true; });
  return reinterpret_cast<Team>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
#else
  return nullptr;
#endif
}

void run_threads(int workers, void (*work)(void*), void* data) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(workers - 1));
  try {
    for (int i = 1; i < workers; ++i) threads.emplace_back(work, data);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that exist, and this one, do the work.
  }
  work(data);
  for (auto& thread : threads) thread.join();
}

}  // namespace

void run_team(int workers, void (*work)(void*), void* data) {
  static const Team team = team_of_process();
  if (team && !forked) {
    team(work, data, static_cast<unsigned>(workers), 0);
  } else {
    run_threads(workers, work, data);
  }
}

}  // namespace inexact
