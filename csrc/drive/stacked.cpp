#include "drive/stacked.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "drive/memory.hpp"
#include "drive/parallel.hpp"

namespace inexact {
namespace {

constexpr int64_t kRowsBytes = 288 << 10;  // of stacked rows at once: beside the totals in an L2 cache of 512 KB or more
constexpr int64_t kMostPlaces = 8192;      // of one task: bounds the totals

// Time of one task of `places` places in units of adding one row.
double task_cycles(const StackCost& cost, double places, int64_t taps, int64_t codes) {
  const auto k = static_cast<double>(taps);
  return k * (cost.add * places + cost.build * static_cast<double>(codes)) + cost.finish * places;
}

// Into how many ranges the places of every block are divided: rows are built again for each, idle threads wait for the last one.
int64_t ranges(const StackCost& cost, const StackedJob& job, int64_t blocks) {
  const int64_t least = ceil_div(job.place_count, kMostPlaces);
  int64_t best = least;
  double best_time = 0;
  for (int64_t n = least; n < least + 2 * job.threads && n <= job.place_count; ++n) {
    const double rounds = static_cast<double>(ceil_div(blocks * n, job.threads));
    const double places = static_cast<double>(job.place_count) / static_cast<double>(n);
    const double time = rounds * task_cycles(cost, places, job.weights.count, job.table_codes);
    if (n == least || time < best_time) best = n, best_time = time;
  }
  return best;
}

struct Task {
  int64_t o0, o1, p0, p1;
};

// Sums of all places of a task.
struct Sums {
  Sums(const Stack& stack, int64_t count)
      : memory(aligned_bytes(count * stack.lanes() * static_cast<int64_t>(sizeof(int32_t)))), waiting(aligned_bytes(count * stack.waiting_bytes())) {
    totals = reinterpret_cast<int32_t*>(memory.get());
    std::memset(waiting.get(), 0, static_cast<size_t>(count * stack.waiting_bytes()));
  }

  Bytes memory, waiting;
  int32_t* totals;
};

void hand_over(const Stack& stack, const StackedJob& job, const Task& task, const int64_t* places, const Sums& all) {
  const int64_t lanes = stack.lanes();
  const Bytes memory = aligned_bytes(lanes * Stack::kPlaces * static_cast<int64_t>(sizeof(int32_t)));
  auto* sums = reinterpret_cast<int32_t*>(memory.get());
  for (int64_t p = task.p0; p < task.p1; p += Stack::kPlaces) {
    const int64_t count = std::min(Stack::kPlaces, task.p1 - p), first = p - task.p0;
    int32_t* const from = all.totals + first * lanes;
    stack.settle(all.waiting.get() + first * stack.waiting_bytes(), count, from);
    if (job.other) {
      job.other(task.o0, places + first, count, sums);
      stack.take(sums, count, from);
    }
    if (job.by_output) {
      stack.by_output(from, count, sums);
    } else {
      stack.by_place(from, count, sums);
    }
    job.hand_over(task.o0, task.o1 - task.o0, p, count, sums);
  }
}

void run(const Stack& stack, const StackedJob& job, const Task& task) {
  const int64_t lanes = stack.lanes(), count = task.p1 - task.p0, taps = job.weights.count;
  const int64_t together = std::max<int64_t>(1, std::min({taps, kRowsBytes / stack.bytes(1), Stack::kMostWaiting}));
  const Bytes rows = aligned_bytes(stack.bytes(together));
  const Sums sums(stack, count);
  int32_t* const totals = sums.totals;
  std::vector<int64_t> places(static_cast<size_t>(count));
  job.places(task.p0, count, places.data());
  Taps window{job.weights.weights + task.o0 * job.weights.step, job.weights.step, task.o1 - task.o0, taps};
  stack.begin(window, totals);
  for (int64_t p = 1; p < count; ++p) std::copy(totals, totals + lanes, totals + p * lanes);
  for (int64_t k = 0, waiting = 0; k < taps; k += together) {
    const int64_t some = std::min(together, taps - k);
    if (waiting + some > Stack::kMostWaiting) {
      stack.settle(sums.waiting.get(), count, totals);
      waiting = 0;
    }
    stack.build({window.weights + k, window.step, window.outputs, some}, rows.get());
    stack.add(rows.get(), some, job.codes, job.offsets + k, places.data(), count, sums.waiting.get(), totals);
    waiting += some;
  }
  hand_over(stack, job, task, places.data(), sums);
}

}  // namespace

double stacked_cycles(const StackCost& cost, int64_t places, int64_t outputs, int64_t taps, int64_t codes) {
  const auto tasks = static_cast<double>(ceil_div(places, kMostPlaces));
  return static_cast<double>(ceil_div(outputs, cost.lanes)) * tasks * task_cycles(cost, static_cast<double>(places) / tasks, taps, codes);
}

void stacked_sums(const Stack& stack, const StackCost& cost, const StackedJob& job) {
  const int64_t lanes = stack.lanes(), blocks = ceil_div(job.weights.outputs, lanes);
  const int64_t parts = ranges(cost, job, blocks);
  parallel_for(blocks * parts, job.threads, [&](int64_t index) {
    const int64_t block = index / parts, part = index % parts;
    // Whole groups of places, but for the last.
    const auto bound = [&](int64_t i) { return i == parts ? job.place_count : job.place_count * i / parts / Stack::kPlaces * Stack::kPlaces; };
    const Task task{block * lanes, std::min(job.weights.outputs, (block + 1) * lanes), bound(part), bound(part + 1)};
    if (task.p0 < task.p1) run(stack, job, task);
  });
}

}  // namespace inexact
