// Portable path.
#include <algorithm>

#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {
namespace {

template <typename Panel, typename Stream>
void steps(const Block& block, const uint8_t* bytes, const int64_t* offsets, int64_t count, int64_t rows, int64_t positions, uint32_t* sums) {
  const auto* panel = reinterpret_cast<const Panel*>(bytes);
  for (int64_t k = 0; k < count; ++k, panel += 4 * rows) {
    const auto* stream = reinterpret_cast<const Stream*>(block.stream + offsets[k]);
    for (int64_t r = 0; r < rows; ++r) {
      const int p0 = panel[4 * r], p1 = panel[4 * r + 1], p2 = panel[4 * r + 2], p3 = panel[4 * r + 3];
      uint32_t* row = sums + r * kPositions;
      for (int64_t p = 0; p < positions; ++p) {
        const Stream* four = stream + 4 * p;
        row[p] += static_cast<uint32_t>((p0 * four[0] + p1 * four[1]) + (p2 * four[2] + p3 * four[3]));
      }
    }
  }
}

void sum(const Block& block, int64_t rows, int64_t positions, int32_t* out, int64_t out_step) {
  uint32_t sums[kMostRows * kPositions] = {};
  const uint8_t* panel = block.panel;
  const int64_t* offsets = block.offsets;
  for (int64_t s = 0; s < block.segment_count; ++s) {
    const Segment& segment = block.segments[s];
    const auto run = segment.stream_signed ? &steps<uint8_t, int8_t> : &steps<int8_t, uint8_t>;
    run(block, panel, offsets, segment.steps, rows, positions, sums);
    panel += 4 * rows * segment.steps;
    offsets += segment.steps;
    for (uint32_t& value : sums) value <<= segment.shift;
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t p = 0; p < positions; ++p) {
      out[r * out_step + p] = static_cast<int32_t>(sums[r * kPositions + p] + static_cast<uint32_t>(block.start[r]));
    }
  }
}

template <typename Panel, typename Stream>
void scattered_steps(const uint8_t* bytes, const uint8_t* at, const int64_t* offsets, int64_t count, int64_t rows, uint32_t* sums) {
  const auto* panel = reinterpret_cast<const Panel*>(bytes);
  for (int64_t k = 0; k < count; ++k, panel += 4 * rows) {
    const auto* four = reinterpret_cast<const Stream*>(at + offsets[k]);
    for (int64_t r = 0; r < rows; ++r) {
      const Panel* row = panel + 4 * r;
      sums[r] += static_cast<uint32_t>((row[0] * four[0] + row[1] * four[1]) + (row[2] * four[2] + row[3] * four[3]));
    }
  }
}

void scattered(const Block& block, int64_t rows, const int64_t* places, int64_t count, int32_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    auto* sums = reinterpret_cast<uint32_t*>(out + i * rows);
    std::fill(sums, sums + rows, 0u);
    const uint8_t* panel = block.panel;
    const int64_t* offsets = block.offsets;
    for (int64_t s = 0; s < block.segment_count; ++s) {
      const Segment& segment = block.segments[s];
      const auto run = segment.stream_signed ? &scattered_steps<uint8_t, int8_t> : &scattered_steps<int8_t, uint8_t>;
      run(panel, block.stream + places[i], offsets, segment.steps, rows, sums);
      panel += 4 * rows * segment.steps;
      offsets += segment.steps;
      for (int64_t r = 0; r < rows; ++r) sums[r] <<= segment.shift;
    }
    for (int64_t r = 0; r < rows; ++r) sums[r] += static_cast<uint32_t>(block.start[r]);
  }
}

template <typename Weight, typename Stream>
void taps(const TapGroup& group, const uint8_t* bytes, const uint8_t* position, int64_t positions, uint32_t* out) {
  const auto* weight = reinterpret_cast<const Weight*>(bytes);
  for (int i = 0; i < 4; ++i) {
    if (weight[i] == 0) continue;
    const auto* stream = reinterpret_cast<const Stream*>(position + group.base + group.reach[i]);
    for (int64_t p = 0; p < positions; ++p) out[p] += static_cast<uint32_t>(weight[i] * stream[p]);
  }
}

void filter(const Filter& f, int64_t first, int64_t positions, int32_t* sums) {
  auto* out = reinterpret_cast<uint32_t*>(sums);
  std::fill(out, out + positions, 0u);
  for (int64_t t = 0; t < f.segment_count; ++t) {
    const auto run = f.segments[t].stream_signed ? &taps<uint8_t, int8_t> : &taps<int8_t, uint8_t>;
    for (int64_t g = 0; g < f.group_count; ++g) {
      run(f.groups[g], f.weights + 4 * (t * f.group_count + g), f.streams[t] + first, positions, out);
    }
    for (int64_t p = 0; p < positions; ++p) out[p] <<= f.segments[t].shift;
  }
  for (int64_t p = 0; p < positions; ++p) out[p] += static_cast<uint32_t>(f.start);
}

void map(const uint8_t* codes, int64_t count, const uint8_t* values, uint8_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = values[codes[i]];
}

void regroup(const uint8_t* w, int64_t quads, int64_t taps, uint8_t* out) {
  for (int64_t q = 0; q < quads; ++q, w += 4 * taps) {
    for (int64_t t = 0; t < taps; ++t, out += 4) {
      for (int64_t i = 0; i < 4; ++i) out[i] = w[i * taps + t];
    }
  }
}

void interleave(const uint8_t* const* rows, int64_t count, const uint8_t* map, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    for (int64_t p = 0; p < count; ++p) out[4 * p + i] = rows[i] ? map[rows[i][p]] : 0;
  }
}

void quads(const uint8_t* codes, int64_t row_step, int64_t rows, int64_t count, const uint8_t* map, uint8_t* out, int64_t out_step) {
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* row = codes + r * row_step;
    for (int64_t k = 0; k < (count + 3) / 4 * 4; ++k) out[k / 4 * out_step + 4 * r + k % 4] = k < count ? map[row[k]] : 0;
  }
}

}  // namespace

const Path scalar_path{&filter, &map, &regroup, &sum, &scattered, &interleave, &quads};

bool path_supported(const std::string& isa) {
  if (isa == "scalar") return true;
#ifdef INEXACT_VNNI
  if (isa == "avx512") return isa_supported("avx512") && __builtin_cpu_supports("avx512vnni");
#endif
  return false;
}

const Path& path_for(const std::string& isa) {
#ifdef INEXACT_VNNI
  if (isa == "avx512") return vnni_path;
#endif
  return scalar_path;
}

}  // namespace inexact::lowrank
