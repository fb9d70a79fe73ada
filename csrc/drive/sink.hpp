// Where finished sums go. The drives (convolution.cpp, matrix.cpp) hand them over as contiguous runs while they are still in cache, so
// that a sink can do more than store them: dequantise, add a bias, clip, write float32.
//
// Every output is handed over exactly once. Calls come from several threads at once, always for different outputs; which runs come,
// in what order and of what length depends on shape, threads and instruction set, so what a sink writes must not depend on it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace inexact {

class Sink {
 public:
  virtual ~Sink() = default;

  // sums[0 .. count) belong to pixels [first, first + count) of the plane of `channel` of `image`, row after row of out_w pixels.
  // A run may go over the ends of rows. Used by convolutions.
  virtual void plane(int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums) const = 0;

  // sums[0 .. count) belong to columns [first, first + count) of `row` of the result [M, N]. Used by matrix products.
  virtual void row(int64_t row, int64_t first, int64_t count, const int32_t* sums) const = 0;

  // Where the sums of such a run may be computed in place, which saves a copy; null when the sink wants to be called.
  virtual int32_t* plane_storage(int64_t /*image*/, int64_t /*channel*/, int64_t /*first*/) const { return nullptr; }
  virtual int32_t* row_storage(int64_t /*row*/, int64_t /*first*/) const { return nullptr; }
};

// Stores int32: images of [channels, pixels], or rows of [columns].
class Int32Sink final : public Sink {
 public:
  static Int32Sink of_planes(int32_t* out, int64_t channels, int64_t pixels) { return {out, channels * pixels, pixels}; }
  static Int32Sink of_rows(int32_t* out, int64_t columns) { return {out, columns, 0}; }

  void plane(int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums) const override {
    std::copy(sums, sums + count, plane_storage(image, channel, first));
  }
  void row(int64_t row, int64_t first, int64_t count, const int32_t* sums) const override {
    std::copy(sums, sums + count, row_storage(row, first));
  }
  int32_t* plane_storage(int64_t image, int64_t channel, int64_t first) const override {
    return out_ + image * step_ + channel * pixels_ + first;
  }
  int32_t* row_storage(int64_t row, int64_t first) const override { return out_ + row * step_ + first; }

 private:
  Int32Sink(int32_t* out, int64_t step, int64_t pixels) : out_(out), step_(step), pixels_(pixels) {}

  int32_t* out_;
  int64_t step_;    // elements from one image (row) to the next
  int64_t pixels_;  // elements from one channel to the next
};

}  // namespace inexact
