// Sums of an array whose registers take some products before they have settled.
#include <algorithm>
#include <vector>

#include "drive/parallel.hpp"
#include "silicon/silicon.hpp"

namespace inexact::silicon {
namespace {

// One sum's stream of operands at one row of the array: codes before and at each step.
struct Row {
  const uint8_t* a;
  const uint64_t* late;
  const int32_t *errors, *products;
  int64_t codes;

  int64_t transition(int64_t step) const { return static_cast<int64_t>(a[step]) * codes + a[step + 1]; }
  bool is_late(int64_t transition) const { return late[transition >> 6] >> (transition & 63) & 1; }
};

Tally take(const Row& row, int64_t steps, int64_t* out) {
  Tally found{0, 0};
  for (int64_t t = 0; t < steps; ++t) {
    const int64_t transition = row.transition(t);
    if (!row.is_late(transition)) continue;
    out[t] += row.errors[transition];
    ++found.late;
  }
  return found;
}

// skip: whether the product of this row is left out at each step; afterwards, that of the next row.
Tally take_or_drop(const Row& row, int64_t steps, std::vector<uint8_t>& skip, int64_t* out) {
  Tally found{0, 0};
  for (int64_t t = 0; t < steps; ++t) {
    uint8_t& skipped = skip[static_cast<size_t>(t)];
    if (skipped) {
      out[t] -= row.products[row.a[t + 1]];
      skipped = 0;
      ++found.dropped;
    } else if (row.is_late(row.transition(t))) {
      skipped = 1;
      ++found.late;
    }
  }
  return found;
}

}  // namespace

Tally late_sums(const Stationary& s, bool drop, int threads, int64_t* out) {
  const int64_t pairs = s.codes * s.codes, words = (pairs + 63) / 64, tasks = s.images * s.channels;
  const int workers = useful_threads(tasks * s.window * s.steps, threads);
  std::vector<Tally> tallies(static_cast<size_t>(tasks), Tally{0, 0});
  parallel_for(tasks, workers, [&](int64_t task) {
    const int64_t image = task / s.channels, channel = task % s.channels, group = channel * s.groups / s.channels;
    int64_t* own = out + task * s.steps;
    std::fill(own, own + s.steps, 0);
    std::vector<uint8_t> skip(drop ? static_cast<size_t>(s.steps) : 0, 0);
    Tally& tally = tallies[static_cast<size_t>(task)];
    for (int64_t k = 0; k < s.window; ++k) {
      const int64_t table = s.rows[channel * s.window + k];
      const Row row{s.a + ((image * s.groups + group) * s.window + k) * (s.steps + 1), s.late + table * words, s.errors + table * pairs,
                    s.products + table * s.codes, s.codes};
      if (drop && k % s.array_rows == 0) std::fill(skip.begin(), skip.end(), uint8_t{0});
      const Tally found = drop ? take_or_drop(row, s.steps, skip, own) : take(row, s.steps, own);
      tally.late += found.late;
      tally.dropped += found.dropped;
    }
  });
  Tally all{0, 0};
  for (const Tally& tally : tallies) {
    all.late += tally.late;
    all.dropped += tally.dropped;
  }
  return all;
}

}  // namespace inexact::silicon
