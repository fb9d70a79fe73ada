// What stands before and behind the sums of a layer: float32 activations to bit patterns, int32 sums to float32 outputs.
//
// One definition, two sets of loops (scalar and AVX-512) that agree bit for bit: divisions, roundings and products are those of IEEE 754
// in a fixed order, and everything between quantisation and the last scaling is an integer below 2^53.
#pragma once

#include <cstdint>
#include <string>

#include "inexact.hpp"

namespace inexact {

// code = clamp(round_half_even(x / scale) + zero, low, high), stored as its lowest bits. low <= zero <= high, integers below 2^16.
struct Quantiser {
  float scale;
  int32_t zero, low, high;
  uint8_t mask;
};

// Saturating rounding multiplication of int32 by multiplier * 2^(exponent - 31) to output codes, as inexact.precision.requantise.
struct IntegerOutput {
  const int64_t* multiplier;  // [channels]
  const int64_t* exponent;    // [channels]
  int64_t zero, low, high;
  float zero_point, scale;    // of the output codes, as real numbers
};

// sum -> float((sum - window factor[c] - column - padding - offset[c]) * scale[c]) + bias[c].
// Absent terms are null. window, column: [images, groups, pixels]; padding: [channels, pixels]; the others [channels].
// With `integer`, scale is not used and the bias is part of the offset.
struct Epilogue {
  const double* offset;
  const double* scale;
  const float* bias;
  const double* factor;
  const int32_t* window;
  const double* column;
  const double* padding;
  const IntegerOutput* integer;
  int64_t channels, groups, pixels;
};

// The loops of one instruction set.
struct LayerLoops {
  // out[i] = pattern of x[i]. Returns the greatest bit pattern of |x[i]|: at least kInfinity when one of them is not finite.
  uint32_t (*quantise)(const float* x, int64_t count, const Quantiser& q, uint8_t* out);
  // Outputs `first` .. `first + count` of one channel of one image. `sums` and `out` may be the same memory.
  void (*pixels)(const Epilogue& e, int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums, float* out);
  // Channels `first` .. `first + count` of one row (an image of one pixel).
  void (*channels)(const Epilogue& e, int64_t row, int64_t first, int64_t count, const int32_t* sums, float* out);
};

constexpr uint32_t kInfinity = 0x7F800000;

extern const LayerLoops kScalarLayer;
extern const LayerLoops kAvx512Layer;

const LayerLoops& layer_loops(const std::string& isa);

// Activations in memory: planes one after another, or the channels of each pixel one after another.
enum class Order { planes, channels_last };

// Patterns in `planes` order of x [images, channels, pixels]. False when a value is NaN or infinite.
bool quantise_planes(const float* x, Order order, int64_t images, int64_t channels, int64_t pixels, const Quantiser& q,
                     const LayerLoops& loops, int threads, uint8_t* out);

// out[n, g, y, x] = sum of the codes in the window over the channels of group g; padded positions hold s.pad_code.
void window_sums(const uint8_t* a, const Convolution& s, int threads, int32_t* out);

// out[n, g, y, x] = sum of values[code] in the window; padded positions add values[s.pad_code], or nothing when they are skipped.
void column_sums(const uint8_t* a, const Convolution& s, const int32_t* values, bool skip_padding, int threads, double* out);

// For training: out[i] = scale * (code of x[i] - zero), the number that x[i] is computed as.
void restore(const float* x, int64_t count, const Quantiser& q, int threads, float* out);

// out[i] = gradient[i] where low <= x[i] <= high, else 0.
void pass_inside(const float* x, const float* gradient, int64_t count, float low, float high, int threads, float* out);

// Planes [images, channels, pixels] as [images, pixels, channels].
void put_channels_last(const float* planes, int64_t images, int64_t channels, int64_t pixels, int threads, float* out);

// Turns the sums of [images, channels, pixels] into outputs, in place.
void finish(const Epilogue& e, int64_t images, const LayerLoops& loops, int threads, void* sums);

// One output, as every loop computes it.
inline double corrected(const Epilogue& e, int64_t image, int64_t channel, int64_t pixel, int32_t sum) {
  const int64_t at = (image * e.groups + channel / (e.channels / e.groups)) * e.pixels + pixel;
  double total = static_cast<double>(sum) - e.offset[channel];
  if (e.window) total -= static_cast<double>(e.window[at]) * e.factor[channel];
  if (e.column) total -= e.column[at];
  if (e.padding) total -= e.padding[channel * e.pixels + pixel];
  return total;
}

float finished(const Epilogue& e, int64_t channel, double total);

}  // namespace inexact
