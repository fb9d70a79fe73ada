// Blocks of lanes, over threads: exhaustive, listed operands, comparison of two circuits, error statistics.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "circuits/circuits.hpp"
#include "circuits/slots.hpp"
#include "drive/parallel.hpp"

namespace inexact {
namespace {

constexpr uint64_t kPatterns[6] = {0xAAAAAAAAAAAAAAAAull, 0xCCCCCCCCCCCCCCCCull, 0xF0F0F0F0F0F0F0F0ull,
                                   0xFF00FF00FF00FF00ull, 0xFFFF0000FFFF0000ull, 0xFFFFFFFF00000000ull};

// Input bits of the lane numbers first .. first + kLanes; first is a multiple of kLanes.
void load_numbers(const Program& p, const int32_t* positions, uint64_t first, Slots& slots) {
  for (int64_t i = 0; i < p.input_bits; ++i) {
    if (p.inputs[i] < 0) continue;
    uint64_t* plane = slots.slot(p.inputs[i]);
    const int32_t position = positions[i];
    if (position < 6) {
      std::fill(plane, plane + kWords, kPatterns[position]);
    } else if (position < 11) {
      for (int64_t w = 0; w < kWords; ++w) plane[w] = (w >> (position - 6)) & 1 ? ~0ull : 0;
    } else {
      std::memset(plane, (first >> position) & 1 ? 0xFF : 0, kWords * 8);
    }
  }
}

// Tasks of several blocks, so that slots are made and threads woken seldom.
template <typename Body>
void over_blocks(const Program& p, int64_t blocks, int threads, const Body& body) {
  const int64_t useful = std::max<int64_t>(1, std::min<int64_t>(threads, blocks * (p.count + 64) / 8192));
  const int64_t step = std::max<int64_t>(1, std::min<int64_t>(64, ceil_div(blocks, 4 * useful)));
  parallel_for(ceil_div(blocks, step), static_cast<int>(useful), [&](int64_t task) {
    Slots slots(p);
    const int64_t end = std::min(blocks, (task + 1) * step);
    for (int64_t block = task * step; block < end; ++block) body(block, slots);
  });
}

double total(const double* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace

void circuit_values(const Program& p, const LanePath& path, const int32_t* positions, uint64_t first, int64_t count, int threads, int64_t* out) {
  const uint64_t start = first / kLanes * kLanes;
  const int64_t skip = static_cast<int64_t>(first - start);
  over_blocks(p, ceil_div(skip + count, kLanes), threads, [&](int64_t block, Slots& slots) {
    load_numbers(p, positions, start + static_cast<uint64_t>(block * kLanes), slots);
    path.run(p, slots.get());
    const int64_t low = block * kLanes - skip;
    if (low >= 0 && low + kLanes <= count) {
      path.values(p, slots.get(), out + low);
      return;
    }
    alignas(64) int64_t part[kLanes];
    path.values(p, slots.get(), part);
    for (int64_t lane = std::max<int64_t>(0, -low); lane < kLanes && low + lane < count; ++lane) out[low + lane] = part[lane];
  });
}

void circuit_evaluate(const Program& p, const LanePath& path, const uint64_t* operands, const int32_t* widths, int64_t buses, int64_t count,
                      int threads, int64_t* out) {
  over_blocks(p, ceil_div(count, kLanes), threads, [&](int64_t block, Slots& slots) {
    alignas(64) uint64_t words[kLanes];
    alignas(64) uint64_t planes[64 * kWords];
    const int64_t lanes = std::min(kLanes, count - block * kLanes);
    for (int64_t bus = 0, bit = 0; bus < buses; bit += widths[bus++]) {
      std::memcpy(words, operands + bus * count + block * kLanes, static_cast<size_t>(lanes) * 8);
      std::fill(words + lanes, words + kLanes, 0);
      path.planes(words, widths[bus], planes);
      for (int64_t i = 0; i < widths[bus]; ++i) {
        if (p.inputs[bit + i] >= 0) std::memcpy(slots.slot(p.inputs[bit + i]), planes + i * kWords, kWords * 8);
      }
    }
    path.run(p, slots.get());
    alignas(64) int64_t part[kLanes];
    path.values(p, slots.get(), part);
    std::copy(part, part + lanes, out + block * kLanes);
  });
}

int64_t circuit_difference(const Program& p, const Program& q, const LanePath& path, const int32_t* p_positions, const int32_t* q_positions,
                           uint64_t count, int threads) {
  std::atomic<uint64_t> found{UINT64_MAX};
  over_blocks(p, ceil_div(static_cast<int64_t>(count), kLanes), threads, [&](int64_t block, Slots& left) {
    const uint64_t first = static_cast<uint64_t>(block * kLanes);
    if (first > found) return;
    Slots right(q);
    load_numbers(p, p_positions, first, left);
    load_numbers(q, q_positions, first, right);
    path.run(p, left.get());
    path.run(q, right.get());
    for (int64_t w = 0; w < kWords; ++w) {
      uint64_t differ = 0;
      for (int64_t i = 0; i < p.output_bits; ++i) differ |= left.slot(p.outputs[i])[w] ^ right.slot(q.outputs[i])[w];
      const uint64_t lanes = differ ? first + static_cast<uint64_t>(64 * w + __builtin_ctzll(differ)) : UINT64_MAX;
      if (lanes >= count) continue;
      uint64_t least = found;
      while (lanes < least && !found.compare_exchange_weak(least, lanes)) {
      }
      return;
    }
  });
  return found == UINT64_MAX ? -1 : static_cast<int64_t>(found.load());
}

int64_t error_order(const Program& p, int64_t i) {
  const int64_t rows = p.output_bits <= 32 ? 32 : 64, columns = kLanes / rows;
  return i / columns + rows * (i % columns);
}

void circuit_errors(const Program& p, const LanePath& path, const ErrorTask& task, int64_t first_row, int64_t rows, int threads, double* out) {
  const int64_t width = int64_t{1} << task.b_bits, blocks = width / kLanes;
  std::vector<int32_t> positions(static_cast<size_t>(p.input_bits));
  for (int64_t i = 0; i < p.input_bits; ++i) {
    positions[static_cast<size_t>(i)] = static_cast<int32_t>(i < task.a_bits ? task.b_bits + i : i - task.a_bits);
  }
  std::vector<double> weights;
  if (task.weights) {
    for (int64_t i = 0; i < width; ++i) weights.push_back(task.weights[i / kLanes * kLanes + error_order(p, i % kLanes)]);
  }
  const auto number = [](int64_t pattern, int64_t bits, bool negative) {
    return static_cast<double>(negative && (pattern >> (bits - 1)) ? pattern - (int64_t{1} << bits) : pattern);
  };
  parallel_for(rows, threads, [&](int64_t row) {
    Slots slots(p);
    ErrorSums sums{};
    const int64_t a = first_row + row;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t b = block * kLanes;
      load_numbers(p, positions.data(), static_cast<uint64_t>(a * width + b), slots);
      path.run(p, slots.get());
      const double* w = task.weights ? weights.data() + b : nullptr;
      path.errors(p, slots.get(), {number(a, task.a_bits, task.a_signed), number(b, task.b_bits, task.b_signed), task.product, w}, sums);
    }
    for (int64_t f = 0; f < kErrorFields; ++f) {
      const double* lanes = sums.field[f];
      const bool largest = f == 4 || f == 6;
      out[row * kErrorFields + f] = largest ? *std::max_element(lanes, lanes + kErrorLanes) : total(lanes);
    }
  });
}

}  // namespace inexact
