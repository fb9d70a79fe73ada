// Where the operands of a convolution through byte factors lie: padded planes (drive/layout.hpp) interleaved four channels at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "drive/layout.hpp"
#include "drive/memory.hpp"
#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {

// Step k of a term: quad of channels k / taps, tap k % taps.
struct Plan {
  Plan(const Convolution& shape, const Factors& f, const Path& p);

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

// Padded planes of codes.
Bytes pack_planes(const Source& source, const Plan& plan, int threads);

// Activations as [stream][group][quad][position][4], from their planes.
Bytes pack_streams(const uint8_t* planes, const Plan& plan, int threads);

// Codes of one output channel [group_in, taps] as [quad][tap][4]; zeros where the last quad lacks channels.
void regroup(const uint8_t* w, const Plan& plan, uint8_t* out);

}  // namespace inexact::lowrank
