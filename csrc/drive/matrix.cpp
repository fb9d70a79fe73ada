// Matrix product through the table: one operand fixed, the other transposed so that the vector runs along its outputs.
#include <algorithm>
#include <numeric>
#include <vector>

#include "drive/matrix.hpp"
#include "drive/memory.hpp"
#include "drive/parallel.hpp"
#include "drive/sink.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

constexpr int64_t kRows = 16;  // of a tile: its columns fill cache lines

struct Product {
  const uint8_t* fixed;   // codes [rows, k]
  const uint8_t* stream;  // codes [k, columns]
  int64_t rows, columns, k;
};

// sum(r, c) for all rows and columns; `tile` takes the sums [r1 - r0, c1 - c0] of some rows and columns.
template <typename Tile>
void multiply(const Product& p, const RowTable& table, int64_t block, int threads, const Tile& tile) {
  std::vector<int64_t> offsets(p.k);
  for (int64_t k = 0; k < p.k; ++k) offsets[k] = k * p.columns;
  const int64_t length = std::min(p.columns, block);
  const int64_t across = ceil_div(p.columns, length), down = ceil_div(p.rows, kRows);
  parallel_for(across * down, threads, [&](int64_t task) {
    const int64_t c0 = task / down * length, c1 = std::min(p.columns, c0 + length);
    const int64_t r0 = task % down * kRows, r1 = std::min(p.rows, r0 + kRows);
    std::vector<int32_t> sums(static_cast<size_t>((r1 - r0) * (c1 - c0)));
    for (int64_t r = r0; r < r1; ++r) {
      table.sum(p.fixed + r * p.k, p.k, p.stream + c0, offsets.data(), c1 - c0, sums.data() + (r - r0) * (c1 - c0));
    }
    tile(r0, r1, c0, c1, sums.data());
  });
}

// Cycles with one operand fixed, `streamed` products a call.
double row_cycles(const RowCost& cost, int64_t fixed, int64_t streamed, int64_t k) {
  const int64_t length = std::min(streamed, cost.block);
  return static_cast<double>(fixed * k * ceil_div(streamed, length)) * cost.call(length);
}

Scheme choose(const MatrixJob& s, const Table& table, const Path& path) {
  const Spans& spans = table.spans();
  const double activations = row_cycles(path.row_cost(spans.row), s.m, s.n, s.k);
  const double weights = row_cycles(path.row_cost(spans.column), s.n, s.m, s.k);
  const Stacking stacked = cheaper_stacking(s, table, path);
  if (stacked.cycles < std::min(activations, weights)) return stacked.of_weights ? Scheme::stack_weight : Scheme::stack_activation;
  return weights < activations ? Scheme::fix_weight : Scheme::fix_activation;
}

// Sums of codes [places, k] with weights [outputs, k] by stacked products of the codes of the former.
StackedJob stacked_job(const uint8_t* codes, const uint8_t* weights, const int64_t* offsets, int64_t places, int64_t outputs, int64_t k) {
  StackedJob job{};
  job.codes = codes;
  job.offsets = offsets;
  job.places = [k](int64_t first, int64_t count, int64_t* found) {
    for (int64_t i = 0; i < count; ++i) found[i] = (first + i) * k;
  };
  job.place_count = places;
  job.weights = {weights, k, outputs, k};
  return job;
}

Stacking stacking_of(const MatrixJob& s, const Table& table, const Path& path, bool of_weights) {
  const Spans& spans = table.spans();
  const int64_t places = of_weights ? s.n : s.m, outputs = of_weights ? s.m : s.n;
  const StackCost cost = path.stack_cost(of_weights ? spans.row : spans.column, outputs);
  return {of_weights, cost, stacked_cycles(cost, places, outputs, s.k, of_weights ? table.lut().columns : table.lut().rows)};
}

}  // namespace

Stacking cheaper_stacking(const MatrixJob& job, const Table& table, const Path& path) {
  const Stacking of_activations = stacking_of(job, table, path, false), of_weights = stacking_of(job, table, path, true);
  return of_weights.cycles < of_activations.cycles ? of_weights : of_activations;
}

void stacked_product(const MatrixJob& s, const Table& table, const Path& path, const Stacking& stacking, const OtherSums& other) {
  std::vector<int64_t> offsets(static_cast<size_t>(s.k));
  std::iota(offsets.begin(), offsets.end(), int64_t{0});
  const bool of_weights = stacking.of_weights;
  const Stack& stack = table.stack(path, of_weights, of_weights ? s.m : s.n);
  StackedJob job = of_weights ? stacked_job(s.b, s.a, offsets.data(), s.n, s.m, s.k) : stacked_job(s.a, s.b, offsets.data(), s.m, s.n, s.k);
  job.table_codes = of_weights ? table.lut().columns : table.lut().rows;
  job.threads = s.threads;
  job.other = other;
  job.by_output = of_weights;  // a run of the result is a row of columns: places here, outputs there
  job.hand_over = [&](int64_t o0, int64_t o_count, int64_t p0, int64_t p_count, const int32_t* sums) {
    const int64_t rows = of_weights ? o_count : p_count, first_row = of_weights ? o0 : p0;
    const int64_t columns = of_weights ? p_count : o_count, first_column = of_weights ? p0 : o0;
    const int64_t step = of_weights ? Stack::kPlaces : stack.lanes();
    for (int64_t r = 0; r < rows; ++r) s.out.row(first_row + r, first_column, columns, sums + r * step);
  };
  stacked_sums(stack, stacking.cost, job);
}

void table_gemm(const uint8_t* a, const uint8_t* b, const Table& table, int64_t m, int64_t n, int64_t k, int threads, const Path& path,
                Scheme scheme, const Sink& out) {
  threads = useful_threads(m * n * k, threads);
  const MatrixJob job{a, b, m, n, k, threads, out};
  if (scheme == Scheme::choose) scheme = choose(job, table, path);
  if (scheme == Scheme::stack_activation || scheme == Scheme::stack_weight) {
    stacked_product(job, table, path, stacking_of(job, table, path, scheme == Scheme::stack_weight), {});
    return;
  }
  const bool fix_a = scheme == Scheme::fix_activation;
  const Bytes stream = aligned_bytes(k * (fix_a ? n : m));
  const RowTable& rows = table.rows(path, !fix_a);
  const int64_t block = path.row_cost(fix_a ? table.spans().row : table.spans().column).block;
  if (fix_a) {
    transpose_bytes(b, n, k, stream.get(), threads);
    multiply({a, stream.get(), m, n, k}, rows, block, threads, [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1, const int32_t* sums) {
      for (int64_t r = r0; r < r1; ++r) out.row(r, c0, c1 - c0, sums + (r - r0) * (c1 - c0));
    });
  } else {
    transpose_bytes(a, m, k, stream.get(), threads);
    multiply({b, stream.get(), n, m, k}, rows, block, threads, [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1, const int32_t* sums) {
      int32_t segment[kRows];
      for (int64_t c = c0; c < c1; ++c) {
        for (int64_t r = r0; r < r1; ++r) segment[r - r0] = sums[(r - r0) * (c1 - c0) + c - c0];
        out.row(c, r0, r1 - r0, segment);
      }
    });
  }
}

}  // namespace inexact
