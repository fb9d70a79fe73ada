// Matrix product by stacked products, for engines that add sums of their own.
#pragma once

#include <cstdint>

#include "drive/sink.hpp"
#include "drive/stacked.hpp"
#include "drive/table.hpp"
#include "inexact.hpp"

namespace inexact {

struct MatrixJob {
  const uint8_t* a;  // [m, k]
  const uint8_t* b;  // [n, k]
  int64_t m, n, k;
  int threads;
  const Sink& out;
};

// The products of all codes of one operand are stacked: rows of the result are places and columns outputs, or with `of_weights` columns
// are places and rows outputs.
struct Stacking {
  bool of_weights;
  StackCost cost;
  double cycles;
};

Stacking cheaper_stacking(const MatrixJob& job, const Table& table, const Path& path);

void stacked_product(const MatrixJob& job, const Table& table, const Path& path, const Stacking& stacking, const OtherSums& other);

}  // namespace inexact
