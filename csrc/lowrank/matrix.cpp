// Matrix product through byte factors: vectors run along the columns (weights), the rows of activations are the broadcast side.
#include <algorithm>
#include <vector>

#include "drive/memory.hpp"
#include "drive/parallel.hpp"
#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {
namespace {

// Activations as [block][term][step][row][4].
Bytes pack_panels(const uint8_t* a, const Factors& factors, int64_t m, int64_t k, int64_t blocks, const Path& path, int threads) {
  const int64_t steps = ceil_div(k, 4), terms = static_cast<int64_t>(factors.terms.size());
  Bytes packed = aligned_bytes(m * 4 * steps * terms);
  parallel_for(blocks, threads, [&](int64_t block) {
    const int64_t m0 = block * m / blocks, rows = (block + 1) * m / blocks - m0;
    uint8_t* out = packed.get() + m0 * 4 * steps * terms;
    for (const Term& term : factors.terms) {
      path.quads(a + m0 * k, k, rows, k, term.a.data(), out, 4 * rows);
      out += 4 * steps * rows;
    }
  });
  return packed;
}

// Weights of columns [n0, n1) as [term][step][kPositions][4].
void pack_tile(const uint8_t* b, const Factors& factors, int64_t n0, int64_t n1, int64_t k, const Path& path, uint8_t* out) {
  for (const Term& term : factors.terms) {
    for (int64_t n = n0; n < n1; n += 16) {
      path.quads(b + n * k, k, std::min<int64_t>(16, n1 - n), k, term.b.data(), out + 4 * (n - n0), 4 * kPositions);
    }
    out += 4 * kPositions * ceil_div(k, 4);
  }
}

}  // namespace

void gemm(const uint8_t* a, const uint8_t* b, const Factors& factors, int64_t m, int64_t n, int64_t k, int threads, const Path& path,
          const Sink& out) {
  threads = useful_threads(m * n * k, threads);
  const int64_t steps = ceil_div(k, 4), terms = static_cast<int64_t>(factors.terms.size()), blocks = ceil_div(m, kMostRows);
  const Bytes panels = pack_panels(a, factors, m, k, blocks, path, threads);
  std::vector<int64_t> offsets(static_cast<size_t>(steps * terms));
  for (int64_t i = 0; i < steps * terms; ++i) offsets[i] = 4 * kPositions * i;
  std::vector<Segment> segments;
  for (const Term& term : factors.terms) segments.push_back({steps, term.shift, !term.a_signed});
  parallel_for(ceil_div(n, kPositions), threads, [&](int64_t task) {
    const int64_t n0 = task * kPositions, n1 = std::min(n, n0 + kPositions);
    const Bytes tile = aligned_bytes(4 * kPositions * steps * terms);
    pack_tile(b, factors, n0, n1, k, path, tile.get());
    int32_t start[kPositions], sums[kMostRows * kPositions];
    const int32_t zero[kMostRows] = {};
    for (int64_t i = n0; i < n1; ++i) start[i - n0] = constant(factors, b + i * k, k);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t m0 = block * m / blocks, rows = (block + 1) * m / blocks - m0;
      const Block one{panels.get() + m0 * 4 * steps * terms, tile.get(), offsets.data(), segments.data(), terms, zero};
      path.sum(one, rows, n1 - n0, sums, kPositions);
      for (int64_t r = 0; r < rows; ++r) {
        int32_t* row = sums + r * kPositions;
        for (int64_t i = 0; i < n1 - n0; ++i) row[i] = static_cast<int32_t>(static_cast<uint32_t>(row[i]) + static_cast<uint32_t>(start[i]));
        out.row(m0 + r, n0, n1 - n0, row);
      }
    }
  });
}

}  // namespace inexact::lowrank
