// Where the activation codes of a convolution come from: an array of codes, or anything that can fill the planes of a layout.
#pragma once

#include <cstdint>

#include "drive/layout.hpp"
#include "inexact.hpp"

namespace inexact {

class Source {
 public:
  virtual ~Source() = default;

  // Fills packed[channels * l.channel_step] as layout.hpp says, on up to `threads` threads. Padding holds s.pad_code.
  virtual void pack(const Convolution& s, const Layout& l, int threads, uint8_t* packed) const = 0;

  // The codes [N, C, H, W] themselves where they exist: a convolution without padding and stride then reads them where they lie.
  // Null otherwise: then `pack` is always called.
  virtual const uint8_t* codes() const { return nullptr; }
};

// Codes [N, C, H, W] in memory.
class CodeSource final : public Source {
 public:
  explicit CodeSource(const uint8_t* codes) : codes_(codes) {}
  void pack(const Convolution& s, const Layout& l, int threads, uint8_t* packed) const override {
    inexact::pack(codes_, s, l, threads, packed);
  }
  const uint8_t* codes() const override { return codes_; }

 private:
  const uint8_t* codes_;
};

}  // namespace inexact
