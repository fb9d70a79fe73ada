// Sums of products through a netlist: lanes run along the rows of one operand, the other is the same in all lanes of a block.
#include <algorithm>
#include <numeric>
#include <vector>

#include "circuits/circuits.hpp"
#include "circuits/slots.hpp"
#include "drive/parallel.hpp"

namespace inexact {
namespace {

// Bits of one block of rows for one k, as planes.
void load_rows(const Sums& s, const LanePath& path, int64_t block, int64_t k, uint64_t* planes) {
  alignas(64) uint64_t words[kLanes] = {};
  const int64_t first = block * kLanes, rows = std::min(kLanes, s.lane_rows - first);
  for (int64_t row = 0; row < rows; ++row) words[row] = s.lanes[(first + row) * s.depth + k];
  path.planes(words, s.lane_bits, planes);
}

void run_products(const Program& p, const LanePath& path, const Sums& s, const uint64_t* planes, int64_t f, Slots& slots, uint64_t* held) {
  for (int64_t k = 0; k < s.depth; ++k) {
    const uint64_t* block = planes + k * s.lane_bits * kWords;
    for (int64_t bit = 0; bit < s.lane_bits; ++bit) {
      const int32_t slot = p.inputs[s.first_lane_bit + bit];
      if (slot >= 0) std::memcpy(slots.slot(slot), block + bit * kWords, kWords * 8);
    }
    const uint64_t code = s.fixed[f * s.depth + k];
    for (int64_t bit = 0; bit < s.fixed_bits; ++bit) {
      const int32_t slot = p.inputs[s.first_fixed_bit + bit];
      if (slot >= 0) std::memset(slots.slot(slot), (code >> bit) & 1 ? 0xFF : 0, kWords * 8);
    }
    path.run(p, slots.get());
    path.accumulate(p, slots.get(), s.sum_bits, held);
  }
}

}  // namespace

void circuit_sums(const Program& p, const LanePath& path, const Sums& s, int threads, int64_t* out) {
  std::vector<int32_t> bits(static_cast<size_t>(s.sum_bits));
  // the sums lie behind a slot of zeros, as every program has
  std::iota(bits.begin(), bits.end(), 1);
  const Program total{nullptr, 0, s.sum_bits + 1, nullptr, 0, bits.data(), s.sum_bits, p.negative};
  const int64_t step = std::max<int64_t>(1, std::min(s.fixed_rows, ceil_div(s.fixed_rows, 4 * threads)));
  Words64 planes(s.depth * s.lane_bits * kWords);
  for (int64_t block = 0; block < ceil_div(s.lane_rows, kLanes); ++block) {
    parallel_for(s.depth, threads, [&](int64_t k) { load_rows(s, path, block, k, planes.get() + k * s.lane_bits * kWords); });
    parallel_for(ceil_div(s.fixed_rows, step), threads, [&](int64_t task) {
      Slots slots(p);
      Words64 held((s.sum_bits + 1) * kWords);
      uint64_t* running = held.get() + kWords;
      alignas(64) int64_t sums[kLanes];
      for (int64_t f = task * step; f < std::min(s.fixed_rows, (task + 1) * step); ++f) {
        std::memset(running, 0, static_cast<size_t>(s.sum_bits * kWords) * 8);
        run_products(p, path, s, planes.get(), f, slots, running);
        path.values(total, held.get(), sums);
        const int64_t rows = std::min(kLanes, s.lane_rows - block * kLanes);
        for (int64_t row = 0; row < rows; ++row) out[(block * kLanes + row) * s.lane_step + f * s.fixed_step] = sums[row];
      }
    });
  }
}

}  // namespace inexact
