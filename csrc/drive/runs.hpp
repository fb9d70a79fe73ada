// The sums of consecutive positions of a layout (layout.hpp), handed over as runs of outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "drive/layout.hpp"
#include "drive/sink.hpp"

namespace inexact {

// Positions [p0, p1) of a run of the layout. Those that belong to no output are dropped: the others close up, image by image.
class Runs {
 public:
  Runs(const Convolution& s, const Layout& l, int64_t p0, int64_t p1);

  // sums[i] belongs to position p0 + i; what is handed over is moved together, in place or in the storage of the sink. `image`: of the first position of the layout's run.
  void hand_over(int32_t* sums, int64_t image, int64_t channel, const Sink& out) const;

 private:
  struct Piece {
    int64_t from, to, count;  // sums[from ..] move to sums[to ..]
  };
  struct Image {
    int64_t index, first, start, count, pieces;  // pieces: end of this image's pieces
  };
  std::vector<Piece> pieces_;
  std::vector<Image> images_;
};

}  // namespace inexact
