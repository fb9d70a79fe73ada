// Convolution by stacked products, for engines that add sums of their own.
#pragma once

#include <cstdint>

#include "drive/layout.hpp"
#include "drive/sink.hpp"
#include "drive/stacked.hpp"
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

// One group: products of all activation codes stacked, outputs side by side. `other` as in StackedJob; its places are positions of the layout.
void stacked_group(const ConvolutionJob& job, int64_t group, const Stack& stack, const StackCost& cost, int64_t table_codes,
                   const OtherSums& other);

}  // namespace inexact
