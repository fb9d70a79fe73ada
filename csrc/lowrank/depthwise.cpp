// Depthwise convolution through byte factors: one input channel, so the four bytes of a step are four taps, gathered from the plane.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "drive/layout.hpp"
#include "drive/memory.hpp"
#include "drive/parallel.hpp"
#include "drive/runs.hpp"
#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {
namespace {

constexpr int64_t kTile = 512;  // positions handed over together
constexpr int64_t kReadBeyond = kTile + 64;

// Which taps are gathered together: groups[g] holds taps order[first[g]] ...
struct Groups {
  explicit Groups(const std::vector<int64_t>& offsets) : order(offsets.size()) {
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return offsets[i] < offsets[j]; });
    for (size_t i = 0; i < order.size(); ++i) {
      const int64_t offset = offsets[order[i]];
      if (groups.empty() || i - first.back() == 4 || offset - groups.back().base > kMostReach) {
        groups.push_back({offset, {}, {}});
        first.push_back(i);
      }
      groups.back().reach[i - first.back()] = static_cast<uint8_t>(offset - groups.back().base);
    }
    first.push_back(order.size());
    for (TapGroup& group : groups) {
      for (size_t j = 0; j < group.index.size(); ++j) group.index[j] = static_cast<uint8_t>(j / 4 + group.reach[j % 4]);
    }
  }

  // Bytes [terms][groups][4] of one filter.
  void weights(const uint8_t* codes, const Factors& factors, uint8_t* out) const {
    for (const Term& term : factors.terms) {
      for (size_t g = 0; g < groups.size(); ++g, out += 4) {
        for (size_t i = first[g]; i < first[g + 1]; ++i) out[i - first[g]] = term.b[codes[order[i]]];
      }
    }
  }

  std::vector<int64_t> order;
  std::vector<size_t> first;
  std::vector<TapGroup> groups;
};

}  // namespace

void depthwise(const Source& a, const uint8_t* w, const Factors& factors, const Convolution& s, int threads, const Path& path,
               const Sink& out) {
  const Layout l = layout_of(s, false);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  const Bytes planes = aligned_bytes(s.channels * l.channel_step);
  a.pack(s, l, threads, planes.get());
  const Groups taps(std::vector<int64_t>(l.offsets.begin(), l.offsets.begin() + s.window()));
  const auto terms = static_cast<int64_t>(factors.terms.size());
  std::vector<Segment> segments;
  for (const Term& term : factors.terms) segments.push_back({0, term.shift, term.a_signed});
  std::vector<Runs> tiles;
  for (int64_t p = 0; p < l.run; p += kTile) tiles.emplace_back(s, l, p, std::min(l.run, p + kTile));
  const int64_t stream_step = l.channel_step + kReadBeyond;
  parallel_for(s.channels, threads, [&](int64_t channel) {
    const Bytes streams = aligned_bytes(terms * stream_step);
    std::vector<const uint8_t*> stream(static_cast<size_t>(terms));
    for (int64_t t = 0; t < terms; ++t) {
      stream[t] = streams.get() + t * stream_step;
      path.map(planes.get() + channel * l.channel_step, l.channel_step, factors.terms[t].a.data(), streams.get() + t * stream_step);
      std::memset(streams.get() + t * stream_step + l.channel_step, 0, kReadBeyond);
    }
    std::vector<uint8_t> weights(static_cast<size_t>(4 * terms) * taps.groups.size());
    int32_t sums[kTile];
    for (int64_t o = channel * s.group_out(); o < (channel + 1) * s.group_out(); ++o) {
      taps.weights(w + o * s.window(), factors, weights.data());
      const Filter filter{stream.data(), taps.groups.data(), static_cast<int64_t>(taps.groups.size()), weights.data(), segments.data(),
                          terms, constant(factors, w + o * s.window(), s.window())};
      for (size_t i = 0; i < tiles.size(); ++i) {
        const int64_t p = static_cast<int64_t>(i) * kTile;
        path.filter(filter, p, std::min(kTile, l.run - p), sums);
        tiles[i].hand_over(sums, 0, o, out);
      }
    }
  });
}

}  // namespace inexact::lowrank
