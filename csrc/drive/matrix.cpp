// Matrix product through the table: one operand fixed, the other transposed so that the vector runs along its outputs.
#include <algorithm>
#include <memory>
#include <vector>

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
void multiply(const Product& p, const RowTable& table, int threads, const Tile& tile) {
  std::vector<int64_t> offsets(p.k);
  for (int64_t k = 0; k < p.k; ++k) offsets[k] = k * p.columns;
  const int64_t length = std::min(p.columns, table.block());
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

double total_cost(const RowTable& table, int64_t fixed, int64_t streamed) {
  const int64_t length = std::min(streamed, table.block());
  return static_cast<double>(fixed) * static_cast<double>(ceil_div(streamed, length)) * table.cost(length);
}

}  // namespace

void table_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, int64_t m, int64_t n, int64_t k, int threads, MakeRows make,
                Fixed fixed, const Sink& out) {
  if (fixed == Fixed::choose) fixed = m > 4 * n ? Fixed::weight : n > 4 * m ? Fixed::activation : Fixed::choose;
  threads = useful_threads(m * n * k, threads);
  std::unique_ptr<RowTable> by_a, by_b;
  if (fixed != Fixed::weight) by_a = make(lut);
  if (fixed != Fixed::activation) by_b = make(lut.transposed());
  if (fixed == Fixed::choose) fixed = total_cost(*by_a, m, n) <= total_cost(*by_b, n, m) ? Fixed::activation : Fixed::weight;
  std::vector<uint8_t> stream(static_cast<size_t>(k * (fixed == Fixed::activation ? n : m)));
  if (fixed == Fixed::activation) {
    transpose_bytes(b, n, k, stream.data(), threads);
    multiply({a, stream.data(), m, n, k}, *by_a, threads, [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1, const int32_t* sums) {
      for (int64_t r = r0; r < r1; ++r) out.row(r, c0, c1 - c0, sums + (r - r0) * (c1 - c0));
    });
  } else {
    transpose_bytes(a, m, k, stream.data(), threads);
    multiply({b, stream.data(), n, m, k}, *by_b, threads, [&](int64_t r0, int64_t r1, int64_t c0, int64_t c1, const int32_t* sums) {
      int32_t segment[kRows];
      for (int64_t c = c0; c < c1; ++c) {
        for (int64_t r = r0; r < r1; ++r) segment[r - r0] = sums[(r - r0) * (c1 - c0) + c - c0];
        out.row(c, r0, r1 - r0, segment);
      }
    });
  }
}

}  // namespace inexact
