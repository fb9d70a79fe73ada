// The specification: loops, no cleverness. Every other path must equal this one bit for bit.
#include "inexact.hpp"

namespace inexact {

void reference_gemm(const uint8_t* a, const uint8_t* b, const Lut& lut, int64_t m, int64_t n, int64_t k, int32_t* out) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      int32_t sum = 0;
      for (int64_t i = 0; i < k; ++i) sum += lut.at(a[row * k + i], b[column * k + i]);
      out[row * n + column] = sum;
    }
  }
}

static int32_t one_output(const uint8_t* a, const uint8_t* w, const Lut& lut, const Convolution& s, int64_t image, int64_t o, int64_t y,
                          int64_t x) {
  const int64_t first_channel = o / s.group_out() * s.group_in();
  int32_t sum = 0;
  for (int64_t c = 0; c < s.group_in(); ++c) {
    for (int64_t i = 0; i < s.kernel_h; ++i) {
      for (int64_t j = 0; j < s.kernel_w; ++j) {
        const int64_t in_y = y * s.stride_h - s.pad_top + i * s.dilation_h;
        const int64_t in_x = x * s.stride_w - s.pad_left + j * s.dilation_w;
        const bool inside = in_y >= 0 && in_y < s.height && in_x >= 0 && in_x < s.width;
        const uint8_t activation =
            inside ? a[((image * s.channels + first_channel + c) * s.height + in_y) * s.width + in_x] : s.pad_code;
        const uint8_t weight = w[((o * s.group_in() + c) * s.kernel_h + i) * s.kernel_w + j];
        sum += lut.at(activation, weight);
      }
    }
  }
  return sum;
}

void reference_conv(const uint8_t* a, const uint8_t* w, const Lut& lut, const Convolution& s, int32_t* out) {
  for (int64_t image = 0; image < s.batch; ++image) {
    for (int64_t o = 0; o < s.out_channels; ++o) {
      for (int64_t y = 0; y < s.out_h; ++y) {
        for (int64_t x = 0; x < s.out_w; ++x) {
          out[((image * s.out_channels + o) * s.out_h + y) * s.out_w + x] = one_output(a, w, lut, s, image, o, y, x);
        }
      }
    }
  }
}

}  // namespace inexact
