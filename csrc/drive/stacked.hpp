// Sums by stacked products (Stack in inexact.hpp): how outputs and places are divided among threads.
#pragma once

#include <cstdint>
#include <functional>

#include "inexact.hpp"

namespace inexact {

// Fills sums[count][lanes] of a block of outputs from o0 at some places, at most Stack::kPlaces, found as StackedJob::places does: they are
// added to the totals. May be empty.
using OtherSums = std::function<void(int64_t o0, const int64_t* places, int64_t count, int32_t* sums)>;

// One product of codes found at offsets[k] + place(i), 0 <= i < places, with `outputs` rows of weights.
struct StackedJob {
  const uint8_t* codes;
  const int64_t* offsets;                                               // [taps]
  std::function<void(int64_t first, int64_t count, int64_t*)> places;   // places [first, first + count)
  int64_t place_count;
  Taps weights;                                                         // all outputs, all taps
  int64_t table_codes;                                                  // codes that a row exists for
  int threads;

  OtherSums other;

  // Called with the sums of outputs [o0, o0 + o_count) at places [p0, p0 + p_count), p_count <= Stack::kPlaces: sums[o][kPlaces] if
  // `by_output`, else sums[p][lanes].
  bool by_output;
  std::function<void(int64_t o0, int64_t o_count, int64_t p0, int64_t p_count, const int32_t* sums)> hand_over;
};

void stacked_sums(const Stack& stack, const StackCost& cost, const StackedJob& job);

// Processor cycles on all threads together.
double stacked_cycles(const StackCost& cost, int64_t places, int64_t outputs, int64_t taps, int64_t codes);

}  // namespace inexact
