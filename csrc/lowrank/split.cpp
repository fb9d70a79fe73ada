// A table as a product and an error. The table engine sums the errors with vectors along the outputs; the sums of the product, an 8-bit matrix
// product, are added to those of a few places at a time, in cache, before they are handed over.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "drive/convolution.hpp"
#include "drive/matrix.hpp"
#include "drive/parallel.hpp"
#include "lowrank/lowrank.hpp"
#include "lowrank/plan.hpp"

namespace inexact::lowrank {
namespace {

// The operand whose rows are outputs, as panels [block][term][step][lane][4] of as many lanes as the totals have.
struct Panels {
  Panels(int64_t blocks, int64_t lanes, int64_t steps, int64_t terms)
      : lanes(lanes), block_bytes(terms * steps * lanes * 4), bytes(aligned_bytes(blocks * block_bytes)), start(static_cast<size_t>(blocks * lanes), 0) {}

  // `like` with the panel and the constants of one block.
  Block of(int64_t block, Block like) const {
    like.panel = bytes.get() + block * block_bytes;
    like.start = start.data() + block * lanes;
    return like;
  }

  int64_t lanes, block_bytes;
  Bytes bytes;
  std::vector<int32_t> start;  // of each output
};

// One term of one block: `count` codes of each of `rows` outputs.
void pack_block(const Path& path, const uint8_t* codes, int64_t rows, int64_t count, int64_t lanes, const uint8_t* map, uint8_t* out) {
  if (rows < lanes) std::memset(out, 0, static_cast<size_t>(ceil_div(count, 4) * lanes * 4));
  for (int64_t r = 0; r < rows; r += 16) {
    path.quads(codes + r * count, count, std::min<int64_t>(16, rows - r), count, map, out + 4 * r, 4 * lanes);
  }
}

// Filters of all groups, group by group.
Panels pack_filters(const uint8_t* w, const Plan& plan, int64_t lanes, int threads) {
  const Convolution& s = plan.s;
  const int64_t window = s.window(), steps = plan.quads * plan.taps, blocks = ceil_div(s.group_out(), lanes);
  Panels panels(s.groups * blocks, lanes, steps, static_cast<int64_t>(plan.factors.terms.size()));
  parallel_for(s.groups * blocks, threads, [&](int64_t block) {
    const int64_t o0 = block % blocks * lanes, rows = std::min(lanes, s.group_out() - o0);
    const uint8_t* filters = w + (block / blocks * s.group_out() + o0) * window;
    const Bytes codes = aligned_bytes(rows * 4 * steps);
    for (int64_t r = 0; r < rows; ++r) {
      regroup(filters + r * window, plan, codes.get() + r * 4 * steps);
      panels.start[static_cast<size_t>(block * lanes + r)] = constant(plan.factors, filters + r * window, window);
    }
    uint8_t* out = panels.bytes.get() + block * panels.block_bytes;
    for (const Term& term : plan.factors.terms) {
      pack_block(plan.path, codes.get(), rows, 4 * steps, lanes, term.b.data(), out);
      out += steps * lanes * 4;
    }
  });
  return panels;
}

// A matrix product between operand `outputs`, in panels, and `places`, whose mapped rows of `pitch` bytes lie one after another, term by term.
struct Operands {
  const uint8_t* outputs;
  const uint8_t* places;
  int64_t output_count, place_count, k, pitch;
  bool of_weights;  // places are rows of b

  const uint8_t* output_map(const Term& term) const { return (of_weights ? term.a : term.b).data(); }
  const uint8_t* place_map(const Term& term) const { return (of_weights ? term.b : term.a).data(); }
};

Panels pack_outputs(const Operands& o, const Factors& factors, int64_t lanes, const Path& path, int threads) {
  Panels panels(ceil_div(o.output_count, lanes), lanes, o.pitch / 4, static_cast<int64_t>(factors.terms.size()));
  parallel_for(ceil_div(o.output_count, lanes), threads, [&](int64_t block) {
    const int64_t o0 = block * lanes, rows = std::min(lanes, o.output_count - o0);
    uint8_t* out = panels.bytes.get() + block * panels.block_bytes;
    for (const Term& term : factors.terms) {
      pack_block(path, o.outputs + o0 * o.k, rows, o.k, lanes, o.output_map(term), out);
      out += o.pitch * lanes;
    }
    for (int64_t r = 0; r < rows && !o.of_weights; ++r) {
      panels.start[static_cast<size_t>(o0 + r)] = constant(factors, o.outputs + (o0 + r) * o.k, o.k);
    }
  });
  return panels;
}

Bytes map_places(const Operands& o, const Factors& factors, const Path& path, int threads) {
  Bytes mapped = aligned_bytes(static_cast<int64_t>(factors.terms.size()) * o.place_count * o.pitch);
  constexpr int64_t strip = 16;
  parallel_for(ceil_div(o.place_count, strip), threads, [&](int64_t task) {
    for (size_t t = 0; t < factors.terms.size(); ++t) {
      for (int64_t p = task * strip; p < std::min(o.place_count, (task + 1) * strip); ++p) {
        uint8_t* row = mapped.get() + (static_cast<int64_t>(t) * o.place_count + p) * o.pitch;
        path.map(o.places + p * o.k, o.k, o.place_map(factors.terms[t]), row);
        std::fill(row + o.k, row + o.pitch, uint8_t{0});
      }
    }
  });
  return mapped;
}

void add_to_row(int32_t constant, int64_t lanes, int32_t* sums) {
  for (int64_t o = 0; o < lanes; ++o) sums[o] = static_cast<int32_t>(static_cast<uint32_t>(sums[o]) + static_cast<uint32_t>(constant));
}

}  // namespace

void split_conv(const Source& a, const uint8_t* w, const Split& table, const Convolution& s, int threads, const Sink& out) {
  const inexact::Path& errors = inexact::path_for(table.isa);
  const Plan plan(s, table.product, path_in(table.isa));
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  const Bytes planes = pack_planes(a, plan, threads), streams = pack_streams(planes.get(), plan, threads);
  const Panels panels = pack_filters(w, plan, output_lanes(s, table.error, errors), threads);
  const ConvolutionJob job{s, plan.l, planes.get(), w, threads, out};
  sum_along_outputs(job, table.error, errors, [&](int64_t output, const int64_t* places, int64_t count, int32_t* sums) {
    const int64_t g = output / s.group_out(), block = g * ceil_div(s.group_out(), panels.lanes) + output % s.group_out() / panels.lanes;
    int64_t at[Stack::kPlaces];
    for (int64_t i = 0; i < count; ++i) at[i] = 4 * places[i];
    const Block group{nullptr, streams.get() + g * plan.quads * plan.quad_step, plan.offsets.data(), plan.segments.data(),
                      static_cast<int64_t>(plan.segments.size()), nullptr};
    plan.path.scattered(panels.of(block, group), panels.lanes, at, count, sums);
  });
}

void split_gemm(const uint8_t* a, const uint8_t* b, const Split& table, int64_t m, int64_t n, int64_t k, int threads, const Sink& out) {
  const inexact::Path& errors = inexact::path_for(table.isa);
  const Path& path = path_in(table.isa);
  const Factors& factors = table.product;
  threads = useful_threads(m * n * k, threads);
  const MatrixJob job{a, b, m, n, k, threads, out};
  const Stacking stacking = cheaper_stacking(job, table.error, errors);
  const bool of_weights = stacking.of_weights;
  const int64_t steps = ceil_div(k, 4), pitch = 4 * steps;
  const Operands operands{of_weights ? a : b, of_weights ? b : a, of_weights ? m : n, of_weights ? n : m, k, pitch, of_weights};
  const Panels panels = pack_outputs(operands, factors, stacking.cost.lanes, path, threads);
  const Bytes mapped = map_places(operands, factors, path, threads);
  std::vector<int64_t> offsets;
  std::vector<Segment> segments;
  for (const Term& term : factors.terms) {
    const int64_t first = static_cast<int64_t>(segments.size()) * operands.place_count * pitch;
    for (int64_t step = 0; step < steps; ++step) offsets.push_back(first + 4 * step);
    segments.push_back({steps, term.shift, of_weights != term.a_signed});
  }
  const Block all{nullptr, mapped.get(), offsets.data(), segments.data(), static_cast<int64_t>(segments.size()), nullptr};
  stacked_product(job, table.error, errors, stacking, [&](int64_t o0, const int64_t* places, int64_t count, int32_t* sums) {
    int64_t at[Stack::kPlaces];
    for (int64_t i = 0; i < count; ++i) at[i] = places[i] / k * pitch;
    path.scattered(panels.of(o0 / panels.lanes, all), panels.lanes, at, count, sums);
    for (int64_t i = 0; of_weights && i < count; ++i) add_to_row(constant(factors, b + places[i], k), panels.lanes, sums + i * panels.lanes);
  });
}

}  // namespace inexact::lowrank
