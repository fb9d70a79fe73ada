// Convolution through byte factors, without im2col in memory: vectors run along the pixels of padded planes (drive/layout.hpp) whose
// bytes are interleaved four channels at a time, the weights are the broadcast side.
#include <algorithm>
#include <vector>

#include "drive/parallel.hpp"
#include "drive/runs.hpp"
#include "lowrank/lowrank.hpp"
#include "lowrank/plan.hpp"

namespace inexact::lowrank {
namespace {

constexpr int64_t kTile = 256;  // positions of one task: sums of a channel are handed over in runs of this length

// Makes the weights of the channels that the last quad lacks zero in a panel.
void clear_missing(const Plan& plan, int64_t rows, uint8_t* panel) {
  for (int64_t step = plan.s.group_in() / 4 * plan.taps; step < plan.quads * plan.taps; ++step) {
    for (int64_t r = 0; r < rows; ++r) std::fill(panel + 4 * (step * rows + r) + plan.s.group_in() % 4, panel + 4 * (step * rows + r + 1), uint8_t{0});
  }
}

// Weights as [group][block][term][step][row][4]; start[o] gets the constant of each output channel.
Bytes pack_panels(const uint8_t* w, const Plan& plan, int threads, int32_t* start) {
  const Convolution& s = plan.s;
  Bytes packed = aligned_bytes(s.out_channels * plan.row_bytes());
  parallel_for(s.groups * plan.blocks, threads, [&](int64_t task) {
    const int64_t g = task / plan.blocks, block = task % plan.blocks;
    const int64_t o0 = g * s.group_out() + plan.first(block), rows = g * s.group_out() + plan.first(block + 1) - o0;
    const int64_t row_step = 4 * plan.quads * plan.taps;
    const Bytes codes = aligned_bytes(rows * row_step);
    for (int64_t r = 0; r < rows; ++r) regroup(w + (o0 + r) * s.window(), plan, codes.get() + r * row_step);
    uint8_t* out = packed.get() + o0 * plan.row_bytes();
    for (const Term& term : plan.factors.terms) {
      plan.path.quads(codes.get(), row_step, rows, row_step, term.b.data(), out, 4 * rows);
      clear_missing(plan, rows, out);
      out += rows * row_step;
    }
    for (int64_t o = o0; o < o0 + rows; ++o) start[o] = constant(plan.factors, w + o * s.window(), s.window());
  });
  return packed;
}

}  // namespace

int32_t constant(const Factors& factors, const uint8_t* codes, int64_t count) {
  uint32_t sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += static_cast<uint32_t>(factors.offset[codes[k]]);
  return static_cast<int32_t>(sum);
}

void conv(const Source& a, const uint8_t* w, const Factors& factors, const Convolution& s, int threads, const Path& path, const Sink& out) {
  if (s.group_in() == 1 && s.groups > 1) return depthwise(a, w, factors, s, threads, path, out);
  const Plan plan(s, factors, path);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  std::vector<int32_t> start(static_cast<size_t>(s.out_channels));
  const Bytes panels = pack_panels(w, plan, threads, start.data());
  const Bytes streams = pack_streams(pack_planes(a, plan, threads).get(), plan, threads);
  const int64_t tiles = ceil_div(plan.l.run, kTile), outer = tiles * s.groups;
  const int64_t parts = std::min(plan.blocks, std::max<int64_t>(1, ceil_div(4 * threads, outer)));
  parallel_for(outer * parts, threads, [&](int64_t task) {
    const int64_t part = task % parts, tile = task / parts % tiles, g = task / parts / tiles;
    const int64_t p0 = tile * kTile, p1 = std::min(plan.l.run, p0 + kTile);
    int32_t sums[kMostRows * kTile];
    const Runs runs(s, plan.l, p0, p1);
    for (int64_t block = part * plan.blocks / parts; block < (part + 1) * plan.blocks / parts; ++block) {
      const int64_t o0 = g * s.group_out() + plan.first(block), rows = g * s.group_out() + plan.first(block + 1) - o0;
      const uint8_t* stream = streams.get() + g * plan.quads * plan.quad_step;
      for (int64_t p = p0; p < p1; p += kPositions) {
        const Block one{panels.get() + o0 * plan.row_bytes(), stream + 4 * p, plan.offsets.data(), plan.segments.data(),
                        static_cast<int64_t>(plan.segments.size()), start.data() + o0};
        path.sum(one, rows, std::min(kPositions, p1 - p), sums + (p - p0), kTile);
      }
      for (int64_t r = 0; r < rows; ++r) runs.hand_over(sums + r * kTile, 0, o0 + r, out);
    }
  });
}

}  // namespace inexact::lowrank
