// Gradients through tables of slopes: for every product, the slopes along both operands are looked up once and meet the gradient that
// arrives. Tasks are columns k, each summed in one fixed order, so results do not depend on threads.
#include <vector>

#include "drive/parallel.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

struct Both {
  float a, b;
};

// Outputs of one pass of the inner loop: their codes, gradients and sums stay in L1 while the rows of b go by.
constexpr int64_t kBlock = 1024;

// by_a[m] += g[m] * row[codes[m]].a for all m; returns the sum of g[m] * row[codes[m]].b, in four chains that do not wait for each other.
float meet(const uint8_t* codes, const float* g, const Both* row, int64_t length, float* by_a) {
  float sums[4] = {0, 0, 0, 0};
  int64_t m = 0;
  for (; m + 4 <= length; m += 4) {
    for (int64_t i = 0; i < 4; ++i) {
      const Both slope = row[codes[m + i]];
      by_a[m + i] += g[m + i] * slope.a;
      sums[i] += g[m + i] * slope.b;
    }
  }
  for (; m < length; ++m) {
    by_a[m] += g[m] * row[codes[m]].a;
    sums[0] += g[m] * row[codes[m]].b;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

void slope_gemm(const uint8_t* a, const uint8_t* b, const float* g, const SlopeTables& tables, int64_t m, int64_t n, int64_t k, int threads,
                float* by_a, float* by_b) {
  threads = useful_threads(m * n * k, threads);
  std::vector<Both> rows(static_cast<size_t>(tables.columns * tables.rows));  // [code of b][code of a]
  for (int64_t i = 0; i < tables.rows; ++i) {
    for (int64_t j = 0; j < tables.columns; ++j) {
      rows[static_cast<size_t>(j * tables.rows + i)] = {tables.along_a[i * tables.columns + j], tables.along_b[i * tables.columns + j]};
    }
  }
  std::vector<uint8_t> codes(static_cast<size_t>(m * k));  // [k, m]
  transpose_bytes(a, m, k, codes.data(), threads);
  std::vector<float> arrived(static_cast<size_t>(m * n));  // [n, m]
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) arrived[static_cast<size_t>(j * m + i)] = g[i * n + j];
  }
  parallel_for(k, threads, [&](int64_t column) {
    std::vector<float> sums(static_cast<size_t>(std::min(kBlock, m)));
    std::vector<double> by_weight(static_cast<size_t>(n), 0.0);
    for (int64_t m0 = 0; m0 < m; m0 += kBlock) {
      const int64_t length = std::min(kBlock, m - m0);
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (int64_t j = 0; j < n; ++j) {
        const Both* row = rows.data() + static_cast<int64_t>(b[j * k + column]) * tables.rows;
        by_weight[static_cast<size_t>(j)] += meet(codes.data() + column * m + m0, arrived.data() + j * m + m0, row, length, sums.data());
      }
      for (int64_t i = 0; i < length; ++i) by_a[(m0 + i) * k + column] = sums[static_cast<size_t>(i)];
    }
    for (int64_t j = 0; j < n; ++j) by_b[j * k + column] = static_cast<float>(by_weight[static_cast<size_t>(j)]);
  });
}

}  // namespace inexact
