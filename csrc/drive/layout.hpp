// How the activations of a convolution lie in memory so that every tap reads a contiguous run of bytes.
//
// Planes are stored padded, and split into their stride_h x stride_w phases: output p of the flattened plane needs byte offset[tap] + p
// whatever the stride. The planes of one channel of all images follow each other, so that small planes still fill long vectors. Without
// stride, the padding after a row (an image) is also the padding before the next one. Positions that belong to no output are computed
// and dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inexact.hpp"

namespace inexact {

struct Layout {
  int64_t phase_h, phase_w;      // rows and columns of one phase
  int64_t pitch_h, pitch_w;      // rows from one image to the next, columns from one row to the next
  int64_t used_h, used_w;        // phases that some tap reads
  bool in_place;                 // the input itself serves, one image after another
  int64_t run;                   // flattened positions computed together
  int64_t runs;                  // how many such runs: batch when in place, else 1
  int64_t run_step;              // bytes from one run to the next
  int64_t channel_step;          // bytes from one channel to the next
  std::vector<int64_t> offsets;  // of each tap (channel, i, j) within a group

  int64_t image_positions() const { return pitch_h * pitch_w; }
  int64_t phase_size(int64_t batch) const { return (batch - 1) * image_positions() + phase_h * pitch_w + phase_w - pitch_w; }
};

// in_memory: the codes [N, C, H, W] exist and may serve where they lie.
Layout layout_of(const Convolution& s, bool in_memory);

// Fills packed[channels * channel_step]; not needed when in place.
void pack(const uint8_t* a, const Convolution& s, const Layout& l, int threads, uint8_t* packed);

}  // namespace inexact
