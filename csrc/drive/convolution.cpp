// Convolution through the table, without im2col in memory: padded planes (layout.hpp) are read at shifted positions.
#include <algorithm>
#include <vector>

#include "drive/convolution.hpp"
#include "drive/layout.hpp"
#include "drive/memory.hpp"
#include "drive/parallel.hpp"
#include "drive/runs.hpp"
#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "drive/table.hpp"
#include "inexact.hpp"

namespace inexact {
namespace {

// Weight fixed, vector along the pixels. A task takes the same positions of many channels, whatever their groups; or all positions of one
// channel where no other reads its plane, so that outputs are written one after another.
void along_pixels(const ConvolutionJob& job, const RowTable& table, int64_t block_length) {
  const Convolution& s = job.s;
  const int64_t length = std::min(job.l.run, block_length), blocks = ceil_div(job.l.run, length);
  const bool direct = job.l.pitch_w == s.out_w && (job.l.in_place || s.batch == 1);
  std::vector<Runs> tiles;
  for (int64_t p = 0; p < job.l.run; p += length) tiles.emplace_back(s, job.l, p, std::min(job.l.run, p + length));
  const auto one = [&](int64_t run, int64_t block, int64_t channel, int32_t* sums) {
    const int64_t p0 = block * length, p1 = std::min(job.l.run, p0 + length);
    int32_t* storage = direct ? job.out.plane_storage(run, channel, p0) : nullptr;
    table.sum(job.weights + channel * s.window(), s.window(), job.group(run, channel / s.group_out()) + p0, job.l.offsets.data(), p1 - p0,
              storage ? storage : sums);
    if (!storage) tiles[static_cast<size_t>(block)].hand_over(sums, run, channel, job.out);
  };
  if (s.group_in() == 1 && s.out_channels >= 4 * job.threads) {
    parallel_for(job.l.runs * s.out_channels, job.threads, [&](int64_t task) {
      std::vector<int32_t> sums(static_cast<size_t>(length));
      for (int64_t block = 0; block < blocks; ++block) one(task / s.out_channels, block, task % s.out_channels, sums.data());
    });
    return;
  }
  const int64_t outer = job.l.runs * blocks;
  const int64_t parts = std::min(s.out_channels, std::max<int64_t>(1, ceil_div(4 * job.threads, outer)));
  const int64_t share = ceil_div(s.out_channels, parts);
  parallel_for(outer * parts, job.threads, [&](int64_t task) {
    const int64_t part = task % parts, block = task / parts % blocks, run = task / (parts * blocks);
    std::vector<int32_t> sums(static_cast<size_t>(length));
    for (int64_t channel = part * share; channel < std::min(s.out_channels, (part + 1) * share); ++channel) one(run, block, channel, sums.data());
  });
}

// Pixels [first, first + count) of all images, image after image, as bytes from the start of the planes.
void find_pixels(const ConvolutionJob& job, int64_t first, int64_t count, int64_t* places) {
  const Convolution& s = job.s;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t image = (first + i) / s.pixels(), q = (first + i) % s.pixels();
    const int64_t start = image * (job.l.in_place ? job.l.run_step : job.l.image_positions());
    places[i] = start + q / s.out_w * job.l.pitch_w + q % s.out_w;
  }
}

// Activation fixed, vector along the output channels: for planes of few pixels.
void along_channels(const ConvolutionJob& job, const RowTable& table, int64_t length, int64_t lanes, const OtherSums& other) {
  const Convolution& s = job.s;
  const int64_t k = s.window(), outs = s.group_out();
  const Bytes stream = aligned_bytes(s.groups * k * outs);
  for (int64_t g = 0; g < s.groups; ++g) transpose_bytes(job.weights + g * outs * k, outs, k, stream.get() + g * k * outs, job.threads);
  std::vector<int64_t> offsets(static_cast<size_t>(k));
  for (int64_t i = 0; i < k; ++i) offsets[i] = i * outs;
  constexpr int64_t pixels = 16;  // outputs are written 64 bytes at a time
  const int64_t blocks = ceil_div(s.pixels(), pixels);
  parallel_for(s.batch * s.groups * blocks, job.threads, [&](int64_t task) {
    const int64_t block = task % blocks, g = task / blocks % s.groups, image = task / (blocks * s.groups);
    const int64_t q0 = block * pixels, q1 = std::min(s.pixels(), q0 + pixels);
    const uint8_t* planes = job.l.in_place ? job.group(image, g) : job.group(0, g) + image * job.l.image_positions();
    std::vector<uint8_t> codes(static_cast<size_t>(k));
    std::vector<int32_t> sums(static_cast<size_t>(pixels * outs));
    for (int64_t q = q0; q < q1; ++q) {
      const uint8_t* corner = planes + q / s.out_w * job.l.pitch_w + q % s.out_w;
      for (int64_t i = 0; i < k; ++i) codes[i] = corner[job.l.offsets[i]];
      for (int64_t o0 = 0; o0 < outs; o0 += length) {
        table.sum(codes.data(), k, stream.get() + g * k * outs + o0, offsets.data(), std::min(length, outs - o0),
                  sums.data() + (q - q0) * outs + o0);
      }
    }
    if (other) {
      int64_t places[pixels];
      find_pixels(job, image * s.pixels() + q0, q1 - q0, places);
      const auto add = [&](int64_t o0, int64_t q, int64_t count, const int32_t* extra) {
        int32_t* const to = sums.data() + q * outs + o0;
        for (int64_t o = 0; o < count; ++o) to[o] = static_cast<int32_t>(static_cast<uint32_t>(to[o]) + static_cast<uint32_t>(extra[o]));
      };
      std::vector<int32_t> extra(static_cast<size_t>(pixels * lanes));
      for (int64_t o0 = 0; o0 < outs; o0 += lanes) {
        other(g * outs + o0, places, q1 - q0, extra.data());
        for (int64_t q = 0; q < q1 - q0; ++q) add(o0, q, std::min(lanes, outs - o0), extra.data() + q * lanes);
      }
    }
    for (int64_t o = 0; o < outs; ++o) {
      int32_t segment[pixels];
      for (int64_t q = q0; q < q1; ++q) segment[q - q0] = sums[(q - q0) * outs + o];
      job.out.plane(image, g * outs + o, q0, q1 - q0, segment);
    }
  });
}

// Cycles of `vectors` calls a tap, each over `length` products.
double row_cycles(const RowCost& cost, int64_t vectors, int64_t length, int64_t taps) {
  const int64_t tail = length % cost.block;
  double one = static_cast<double>(length / cost.block) * cost.call(cost.block);
  if (tail) one += cost.call(tail);
  return static_cast<double>(vectors * taps) * one;
}

// One group: products of all activation codes stacked, outputs side by side: for many pixels and many channels.
void stacked_group(const ConvolutionJob& job, int64_t g, const Stack& stack, const StackCost& cost, int64_t table_codes, const OtherSums& other) {
  const Convolution& s = job.s;
  StackedJob work{};
  work.codes = job.planes + g * s.group_in() * job.l.channel_step;
  work.offsets = job.l.offsets.data();
  work.places = [&](int64_t first, int64_t count, int64_t* places) { find_pixels(job, first, count, places); };
  work.place_count = s.batch * s.pixels();
  work.weights = {job.weights + g * s.group_out() * s.window(), s.window(), s.group_out(), s.window()};
  work.table_codes = table_codes;
  work.threads = job.threads;
  if (other) {
    work.other = [&](int64_t o0, const int64_t* places, int64_t count, int32_t* sums) { other(g * s.group_out() + o0, places, count, sums); };
  }
  work.by_output = true;
  work.hand_over = [&](int64_t o0, int64_t o_count, int64_t p0, int64_t p_count, const int32_t* sums) {
    for (int64_t o = 0; o < o_count; ++o) {
      for (int64_t p = p0; p < p0 + p_count;) {
        const int64_t image = p / s.pixels(), end = std::min(p0 + p_count, (image + 1) * s.pixels());
        job.out.plane(image, g * s.group_out() + o0 + o, p - image * s.pixels(), end - p, sums + o * Stack::kPlaces + p - p0);
        p = end;
      }
    }
  };
  stacked_sums(stack, cost, work);
}

// Predicted cycles of the schemes. Summation over the threads' shares is even for all of them.
struct Costs {
  Costs(const Convolution& s, const Layout& l, const Path& path, const Table& table) : stack(path.stack_cost(table.spans().column, s.group_out())) {
    const Spans& spans = table.spans();
    pixels = row_cycles(path.row_cost(spans.column), l.runs * s.out_channels, l.run, s.window());
    channels = row_cycles(path.row_cost(spans.row), s.batch * s.pixels() * s.groups, s.group_out(), s.window());
    stacked = static_cast<double>(s.groups) * stacked_cycles(stack, s.batch * s.pixels(), s.group_out(), s.window(), table.lut().rows);
  }

  StackCost stack;
  double pixels, channels, stacked;
};

Scheme choose(const Costs& costs) {
  if (costs.stacked < std::min(costs.pixels, costs.channels)) return Scheme::stack_activation;
  return costs.channels < costs.pixels ? Scheme::fix_activation : Scheme::fix_weight;
}

void sum_stacked(const ConvolutionJob& job, const Table& table, const Path& path, const StackCost& cost, const OtherSums& other) {
  const Stack& stack = table.stack(path, false, job.s.group_out());
  for (int64_t g = 0; g < job.s.groups; ++g) stacked_group(job, g, stack, cost, table.lut().rows, other);
}

}  // namespace

int64_t output_lanes(const Convolution& s, const Table& table, const Path& path) {
  return path.stack_cost(table.spans().column, s.group_out()).lanes;
}

void sum_along_outputs(const ConvolutionJob& job, const Table& table, const Path& path, const OtherSums& other) {
  const Costs costs(job.s, job.l, path, table);
  if (costs.stacked < costs.channels) {
    sum_stacked(job, table, path, costs.stack, other);
  } else {
    along_channels(job, table.rows(path, false), path.row_cost(table.spans().row).block, costs.stack.lanes, other);
  }
}

void table_conv(const Source& a, const uint8_t* w, const Table& table, const Convolution& s, int threads, const Path& path, Scheme scheme,
                const Sink& out) {
  const Layout l = layout_of(s, a.codes() != nullptr);
  threads = useful_threads(s.batch * s.out_channels * s.pixels() * s.window(), threads);
  Bytes packed;
  if (!l.in_place) {
    packed = aligned_bytes(s.channels * l.channel_step);
    a.pack(s, l, threads, packed.get());
  }
  const ConvolutionJob job{s, l, l.in_place ? a.codes() : packed.get(), w, threads, out};
  const Costs costs(s, l, path, table);
  if (scheme == Scheme::choose) scheme = choose(costs);
  if (scheme == Scheme::fix_activation) {
    along_channels(job, table.rows(path, false), path.row_cost(table.spans().row).block, costs.stack.lanes, {});
  } else if (scheme == Scheme::stack_activation) {
    sum_stacked(job, table, path, costs.stack, {});
  } else {
    along_pixels(job, table.rows(path, true), path.row_cost(table.spans().column).block);
  }
}

}  // namespace inexact
