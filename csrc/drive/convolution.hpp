// Convolution through the table, for engines that add sums of their own.
#pragma once

#include <cstdint>

#include "drive/layout.hpp"
#include "drive/sink.hpp"
#include "drive/stacked.hpp"
#include "drive/table.hpp"
#include "inexact.hpp"

namespace inexact {

struct ConvolutionJob {
  const Convolution& s;
  const Layout& l;
  const uint8_t* planes;   // laid out as `l` says
  const uint8_t* weights;  // [out_channels, window]
  int threads;
  const Sink& out;

  // Byte 0 of a group in one run.
  const uint8_t* group(int64_t run, int64_t g) const { return planes + run * l.run_step + g * s.group_in() * l.channel_step; }
};

// Sums by the cheaper of the schemes whose vectors run along the outputs, and others added to them. `other` as in StackedJob, with places as
// positions of the layout; a block has output_lanes() outputs of one group, o0 counts those of all groups.
int64_t output_lanes(const Convolution& s, const Table& table, const Path& path);
void sum_along_outputs(const ConvolutionJob& job, const Table& table, const Path& path, const OtherSums& other);

}  // namespace inexact
