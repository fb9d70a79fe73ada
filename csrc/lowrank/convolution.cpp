// Convolution through byte factors, without im2col in memory: vectors run along the pixels of padded planes (drive/layout.hpp) whose
// bytes are interleaved four channels at a time, the weights are the broadcast side.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "drive/layout.hpp"
#include "drive/parallel.hpp"
#include "drive/runs.hpp"
#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {
namespace {

constexpr int64_t kTile = 256;  // positions of one task: sums of a channel are handed over in runs of this length

using Bytes = std::unique_ptr<uint8_t[]>;

Bytes bytes(int64_t count) { return Bytes(new uint8_t[static_cast<size_t>(count)]); }

// Terms whose activation bytes are the same read one stream.
std::vector<int64_t> streams_of(const Factors& factors) {
  std::vector<int64_t> stream;
  int64_t count = 0;
  for (size_t t = 0; t < factors.terms.size(); ++t) {
    size_t same = 0;
    while (same < t && factors.terms[same].a != factors.terms[t].a) ++same;
    stream.push_back(same < t ? stream[same] : count++);
  }
  return stream;
}

// Streams an odd number of cache lines apart do not all fall into the same few sets of the L1 cache.
int64_t spread(int64_t size) { return (ceil_div(size, 64) | 1) * 64; }

// Where everything lies. Step k of a term: quad of channels k / taps, tap k % taps.
struct Plan {
  Plan(const Convolution& shape, const Factors& f, const Path& p)
      : s(shape), factors(f), path(p), l(layout_of(shape, false)), stream(streams_of(f)) {
    taps = s.kernel_h * s.kernel_w;
    quads = ceil_div(s.group_in(), 4);
    positions = l.used_h * l.used_w * l.phase_size(s.batch);
    quad_step = spread(4 * positions);
    stream_step = s.groups * quads * quad_step;
    streams = *std::max_element(stream.begin(), stream.end()) + 1;
    blocks = ceil_div(s.group_out(), kMostRows);
    for (size_t t = 0; t < f.terms.size(); ++t) {
      segments.push_back({quads * taps, f.terms[t].shift, f.terms[t].a_signed});
      for (int64_t q = 0; q < quads; ++q) {
        for (int64_t tap = 0; tap < taps; ++tap) offsets.push_back(stream[t] * stream_step + q * quad_step + 4 * l.offsets[tap]);
      }
    }
  }

  // Bytes of one output channel in all panels.
  int64_t row_bytes() const { return 4 * quads * taps * static_cast<int64_t>(factors.terms.size()); }
  // First output channel, within its group, of a block of them; that of block number `blocks` is the end.
  int64_t first(int64_t block) const { return block * s.group_out() / blocks; }

  const Convolution& s;
  const Factors& factors;
  const Path& path;
  Layout l;
  std::vector<int64_t> stream;  // of each term
  int64_t streams, taps, quads, positions, quad_step, stream_step, blocks;
  std::vector<Segment> segments;
  std::vector<int64_t> offsets;
};

// Activations as [stream][group][quad][position][4].
Bytes pack_streams(const Source& source, const Plan& plan, int threads) {
  const Convolution& s = plan.s;
  const Bytes planes = bytes(s.channels * plan.l.channel_step);
  source.pack(s, plan.l, threads, planes.get());
  Bytes packed = bytes(plan.streams * plan.stream_step + kSlack);
  constexpr int64_t piece = 8192;
  const int64_t pieces = ceil_div(plan.positions, piece);
  parallel_for(s.groups * plan.quads * pieces, threads, [&](int64_t task) {
    const int64_t p = task % pieces * piece, q = task / pieces % plan.quads, g = task / pieces / plan.quads;
    const uint8_t* rows[4];
    for (int64_t i = 0; i < 4; ++i) {
      const bool exists = 4 * q + i < s.group_in();
      rows[i] = exists ? planes.get() + (g * s.group_in() + 4 * q + i) * plan.l.channel_step + p : nullptr;
    }
    int64_t made = 0;
    for (size_t t = 0; t < plan.stream.size(); ++t) {
      if (plan.stream[t] != made) continue;
      uint8_t* out = packed.get() + made++ * plan.stream_step + (g * plan.quads + q) * plan.quad_step + 4 * p;
      plan.path.interleave(rows, std::min(piece, plan.positions - p), plan.factors.terms[t].a.data(), out);
    }
  });
  return packed;
}

// Codes of one output channel [group_in, taps] as [quad][tap][4]; zeros where the last quad lacks channels.
void regroup(const uint8_t* w, const Plan& plan, uint8_t* out) {
  const int64_t whole = plan.s.group_in() / 4;
  plan.path.regroup(w, whole, plan.taps, out);
  std::memset(out + 4 * whole * plan.taps, 0, static_cast<size_t>(4 * (plan.quads - whole) * plan.taps));
  for (int64_t c = 4 * whole; c < plan.s.group_in(); ++c) {
    for (int64_t tap = 0; tap < plan.taps; ++tap) out[4 * (whole * plan.taps + tap) + c % 4] = w[c * plan.taps + tap];
  }
}

// Makes the weights of the channels that the last quad lacks zero in a panel.
void clear_missing(const Plan& plan, int64_t rows, uint8_t* panel) {
  for (int64_t step = plan.s.group_in() / 4 * plan.taps; step < plan.quads * plan.taps; ++step) {
    for (int64_t r = 0; r < rows; ++r) std::fill(panel + 4 * (step * rows + r) + plan.s.group_in() % 4, panel + 4 * (step * rows + r + 1), uint8_t{0});
  }
}

// Weights as [group][block][term][step][row][4]; start[o] gets the constant of each output channel.
Bytes pack_panels(const uint8_t* w, const Plan& plan, int threads, int32_t* start) {
  const Convolution& s = plan.s;
  Bytes packed = bytes(s.out_channels * plan.row_bytes());
  parallel_for(s.groups * plan.blocks, threads, [&](int64_t task) {
    const int64_t g = task / plan.blocks, block = task % plan.blocks;
    const int64_t o0 = g * s.group_out() + plan.first(block), rows = g * s.group_out() + plan.first(block + 1) - o0;
    const int64_t row_step = 4 * plan.quads * plan.taps;
    const Bytes codes = bytes(rows * row_step);
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
  const Bytes streams = pack_streams(a, plan, threads);
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
