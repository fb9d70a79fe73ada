#include "lowrank/plan.hpp"

#include <algorithm>
#include <cstring>

#include "drive/parallel.hpp"

namespace inexact::lowrank {
namespace {

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

}  // namespace

Plan::Plan(const Convolution& shape, const Factors& f, const Path& p)
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

Bytes pack_planes(const Source& source, const Plan& plan, int threads) {
  Bytes planes = aligned_bytes(plan.s.channels * plan.l.channel_step);
  source.pack(plan.s, plan.l, threads, planes.get());
  return planes;
}

Bytes pack_streams(const uint8_t* planes, const Plan& plan, int threads) {
  const Convolution& s = plan.s;
  Bytes packed = aligned_bytes(plan.streams * plan.stream_step + kSlack);
  constexpr int64_t piece = 8192;
  const int64_t pieces = ceil_div(plan.positions, piece);
  parallel_for(s.groups * plan.quads * pieces, threads, [&](int64_t task) {
    const int64_t p = task % pieces * piece, q = task / pieces % plan.quads, g = task / pieces / plan.quads;
    const uint8_t* rows[4];
    for (int64_t i = 0; i < 4; ++i) {
      const bool exists = 4 * q + i < s.group_in();
      rows[i] = exists ? planes + (g * s.group_in() + 4 * q + i) * plan.l.channel_step + p : nullptr;
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

void regroup(const uint8_t* w, const Plan& plan, uint8_t* out) {
  const int64_t whole = plan.s.group_in() / 4;
  plan.path.regroup(w, whole, plan.taps, out);
  std::memset(out + 4 * whole * plan.taps, 0, static_cast<size_t>(4 * (plan.quads - whole) * plan.taps));
  for (int64_t c = 4 * whole; c < plan.s.group_in(); ++c) {
    for (int64_t tap = 0; tap < plan.taps; ++tap) out[4 * (whole * plan.taps + tap) + c % 4] = w[c * plan.taps + tap];
  }
}

}  // namespace inexact::lowrank
