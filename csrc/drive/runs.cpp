#include "drive/runs.hpp"

#include <algorithm>
#include <cstring>

namespace inexact {

Runs::Runs(const Convolution& s, const Layout& l, int64_t p0, int64_t p1) {
  for (int64_t p = p0; p < p1;) {
    const int64_t index = p / l.image_positions(), start = p - p0, end = std::min(p1, (index + 1) * l.image_positions());
    const int64_t rest = p % l.image_positions();
    const int64_t first = std::min(rest / l.pitch_w * s.out_w + std::min(rest % l.pitch_w, s.out_w), s.pixels());
    int64_t kept = 0;
    while (p < end) {
      const int64_t y = p % l.image_positions() / l.pitch_w, x = p % l.image_positions() % l.pitch_w;
      const int64_t next = std::min(end, p + l.pitch_w - x);
      const int64_t keep = y < s.out_h ? std::max<int64_t>(0, std::min(s.out_w - x, next - p)) : 0;
      if (keep > 0) pieces_.push_back({p - p0, start + kept, keep});
      kept += keep;
      p = next;
    }
    if (kept > 0) images_.push_back({index, first, start, kept, static_cast<int64_t>(pieces_.size())});
  }
}

void Runs::hand_over(int32_t* sums, int64_t image, int64_t channel, const Sink& out) const {
  size_t piece = 0;
  for (const Image& one : images_) {
    int32_t* const storage = out.plane_storage(image + one.index, channel, one.first);
    for (; piece < static_cast<size_t>(one.pieces); ++piece) {
      const Piece& move = pieces_[piece];
      const auto bytes = static_cast<size_t>(move.count) * sizeof(int32_t);
      if (storage) {
        std::memcpy(storage + (move.to - one.start), sums + move.from, bytes);
      } else if (move.to != move.from) {
        std::memmove(sums + move.to, sums + move.from, bytes);
      }
    }
    if (!storage) out.plane(image + one.index, channel, one.first, one.count, sums + one.start);
  }
}

}  // namespace inexact
