// Gradients through tables of slopes: for every product, the slopes along both operands are looked up once and meet the gradient that
// arrives. Products of a column k that share the code of a share a row of slopes, one an output, so nothing is gathered in the inner loop:
// the slopes of a row meet the gradients of that row of outputs, whose sum by code meets the slopes along b at the end.
// Tasks are columns, each summed in one fixed order, so results do not depend on threads.
#include <cstring>
#include <vector>

#include "drive/parallel.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

constexpr int64_t kLanes = 16;    // outputs that are summed side by side, whatever the width of the processor's registers
constexpr int64_t kCodes = 256;   // of a, at most
constexpr int64_t kBlock = 4096;  // rows of a whose gradients are summed in float32 before the sums move on to float64

using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using Half = float __attribute__((vector_size(kLanes * sizeof(float) / 2)));
using Quarter = float __attribute__((vector_size(kLanes * sizeof(float) / 4)));

float sum_of(const Lanes& lanes) {
  Half halves[2];
  std::memcpy(halves, &lanes, sizeof(lanes));
  halves[0] += halves[1];
  Quarter quarters[2];
  std::memcpy(quarters, &halves[0], sizeof(quarters));
  quarters[0] += quarters[1];
  return (quarters[0][0] + quarters[0][2]) + (quarters[0][1] + quarters[0][3]);
}

// One column of a against `count` outputs, at most kLanes, from `first` on.
struct Outputs {
  const SlopeTables& tables;
  const uint8_t* b;  // of the column, k bytes from one output to the next
  int64_t first, count, k;

  float slope(const float* table, int64_t code, int64_t j) const { return table[code * tables.columns + b[(first + j) * k]]; }
};

// What one column of a meets, by its code. At most 32 KB, so that it stays in L1.
class ByCode {
 public:
  ByCode(const Outputs& outputs, const std::vector<uint8_t>& codes) : outputs_(outputs), codes_(codes) {
    for (const int64_t code : codes_) {
      slopes_[code] = met_[code] = Lanes{};
      for (int64_t j = 0; j < outputs.count; ++j) slopes_[code][j] = outputs.slope(outputs.tables.along_a, code, j);
    }
  }

  // by_a[i] += sum of g[i] * slopes along a; g is kept by code.
  void meet(const uint8_t* codes, const Lanes* g, int64_t length, float* __restrict by_a) {
    for (int64_t i = 0; i < length; ++i) {
      const Lanes arrived = g[i];
      const uint8_t code = codes[i];
      met_[code] += arrived;
      by_a[i] += sum_of(arrived * slopes_[code]);
    }
  }

  // sums[j] += sum of g * slopes along b, for what was met since the last call.
  void settle(double* sums) {
    for (const int64_t code : codes_) {
      for (int64_t j = 0; j < outputs_.count; ++j) {
        sums[j] += static_cast<double>(met_[code][j]) * outputs_.slope(outputs_.tables.along_b, code, j);
      }
      met_[code] = Lanes{};
    }
  }

 private:
  const Outputs& outputs_;
  const std::vector<uint8_t>& codes_;
  Lanes slopes_[kCodes], met_[kCodes];
};

std::vector<uint8_t> codes_met(const uint8_t* codes, int64_t m) {
  bool met[kCodes] = {};
  for (int64_t i = 0; i < m; ++i) met[codes[i]] = true;
  std::vector<uint8_t> found;
  for (int64_t code = 0; code < kCodes; ++code) {
    if (met[code]) found.push_back(static_cast<uint8_t>(code));
  }
  return found;
}

// g, [m, n], as [groups of kLanes outputs, m]; outputs that do not exist get zeros.
std::vector<Lanes> grouped(const float* g, int64_t m, int64_t n) {
  std::vector<Lanes> found(static_cast<size_t>(ceil_div(n, kLanes) * m), Lanes{});
  for (int64_t first = 0; first < n; first += kLanes) {
    const size_t bytes = static_cast<size_t>(std::min(kLanes, n - first)) * sizeof(float);
    for (int64_t i = 0; i < m; ++i) std::memcpy(&found[static_cast<size_t>(first / kLanes * m + i)], g + i * n + first, bytes);
  }
  return found;
}

}  // namespace

void slope_gemm(const uint8_t* a, const uint8_t* b, const float* g, const SlopeTables& tables, int64_t m, int64_t n, int64_t k, int threads,
                float* by_a, float* by_b) {
  threads = useful_threads(m * n * k, threads);
  std::vector<uint8_t> columns(static_cast<size_t>(m * k));  // [k, m]
  transpose_bytes(a, m, k, columns.data(), threads);
  const std::vector<Lanes> arrived = grouped(g, m, n);
  parallel_for(k, threads, [&](int64_t c) {
    const uint8_t* column = columns.data() + c * m;
    const std::vector<uint8_t> codes = codes_met(column, m);
    std::vector<float> by_input(static_cast<size_t>(m), 0.0f);
    for (int64_t first = 0; first < n; first += kLanes) {
      const Outputs outputs{tables, b + c, first, std::min(kLanes, n - first), k};
      const Lanes* g_of = arrived.data() + first / kLanes * m;
      ByCode by_code(outputs, codes);
      double sums[kLanes] = {};
      for (int64_t m0 = 0; m0 < m; m0 += kBlock) {
        by_code.meet(column + m0, g_of + m0, std::min(kBlock, m - m0), by_input.data() + m0);
        by_code.settle(sums);
      }
      for (int64_t j = 0; j < outputs.count; ++j) by_b[(first + j) * k + c] = static_cast<float>(sums[j]);
    }
    for (int64_t i = 0; i < m; ++i) by_a[i * k + c] = by_input[static_cast<size_t>(i)];
  });
}

}  // namespace inexact
