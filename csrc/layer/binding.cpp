// Python face of whole layers. inexact.kernels checks shapes and ranges; what would read or write outside an array is checked once more.
#include "layer/binding.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>

#include "arrays.hpp"
#include "drive/memory.hpp"
#include "drive/sink.hpp"
#include "drive/source.hpp"
#include "drive/table.hpp"
#include "layer/layer.hpp"
#include "lowrank/lowrank.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {
namespace {

template <typename T, size_t N>
using Maybe = std::optional<Array<T, N>>;
using Numbers = std::array<int64_t, 4>;  // zero, low, high, bits

// What Python hands over about everything but the sums.
struct Surroundings {
  float scale;
  Numbers numbers;
  Array<const double, 2> constants;  // offset, scale, factor of the window sum; [3, channels]
  Maybe<const float, 1> bias;
  Maybe<const int32_t, 1> column;
  bool skip_padding;
  Maybe<const double, 2> padding;
  Maybe<const int64_t, 2> integer;   // multiplier, exponent; [2, channels]
  std::array<double, 4> integer_out; // zero point, scale, low, high
};

Quantiser quantiser_of(const Surroundings& s, const Lut& lut) {
  const auto [zero, low, high, bits] = s.numbers;
  require(bits >= 1 && bits <= 8 && (int64_t{1} << bits) <= lut.rows, "codes must lie inside the table");
  require(low <= zero && zero <= high && low >= -128 && high - low < 256, "the zero point must be a code");
  return {s.scale, static_cast<int32_t>(zero), static_cast<int32_t>(low), static_cast<int32_t>(high), static_cast<uint8_t>((1 << bits) - 1)};
}

IntegerOutput integer_of(const Surroundings& s, int64_t channels) {
  if (!s.integer) return {};
  require(dim(*s.integer, 0) == 2 && dim(*s.integer, 1) == channels, "integer requantisation must be [2, channels]");
  const auto [zero, scale, low, high] = s.integer_out;
  return {s.integer->data(), s.integer->data() + channels, static_cast<int64_t>(zero), static_cast<int64_t>(low), static_cast<int64_t>(high),
          static_cast<float>(zero), static_cast<float>(scale)};
}

Epilogue epilogue_of(const Surroundings& s, int64_t channels, int64_t groups, int64_t pixels) {
  require(dim(s.constants, 0) == 3 && dim(s.constants, 1) == channels, "constants must be [3, channels]");
  require(!s.bias || dim(*s.bias, 0) == channels, "the bias must have an entry for each channel");
  require(!s.column || dim(*s.column, 0) >= int64_t{1} << s.numbers[3], "the column must have an entry for each code");
  require(!s.padding || (dim(*s.padding, 0) == channels && dim(*s.padding, 1) == pixels), "padding sums must be [channels, pixels]");
  const double* rows = s.constants.data();
  Epilogue e{};
  e.offset = rows;
  e.scale = rows + channels;
  e.factor = rows + 2 * channels;
  e.bias = s.bias ? s.bias->data() : nullptr;
  e.padding = s.padding ? s.padding->data() : nullptr;
  e.channels = channels;
  e.groups = groups;
  e.pixels = pixels;
  return e;
}

// Window sums of the codes where the weights' zero points need them, and sums of the correction column.
struct Sums {
  std::unique_ptr<int32_t[]> window;
  std::unique_ptr<double[]> column;
};

Sums sums_of(const Surroundings& s, const uint8_t* codes, const Convolution& shape, int threads, Epilogue* e) {
  Sums sums;
  const auto count = static_cast<size_t>(shape.batch * shape.groups * shape.pixels());
  if (std::any_of(e->factor, e->factor + e->channels, [](double factor) { return factor != 0; })) {
    sums.window.reset(new int32_t[count]);
    window_sums(codes, shape, threads, sums.window.get());
    e->window = sums.window.get();
  }
  if (s.column) {
    sums.column.reset(new double[count]);
    column_sums(codes, shape, s.column->data(), s.skip_padding, threads, sums.column.get());
    e->column = sums.column.get();
  }
  return sums;
}

void check_shape(const Convolution& s, int64_t bottom, int64_t right, int64_t depth, int64_t images, int64_t channels) {
  require(s.stride_h > 0 && s.stride_w > 0 && s.dilation_h > 0 && s.dilation_w > 0, "stride and dilation must be positive");
  require(s.pad_top >= 0 && s.pad_left >= 0 && bottom >= 0 && right >= 0, "padding must not be negative");
  require(s.groups > 0 && s.channels % s.groups == 0 && s.out_channels % s.groups == 0, "groups must divide the channels");
  require(depth == s.group_in() && images == s.batch && channels == s.out_channels, "shapes of x, w and out must agree");
  require(s.window() > 0 && s.out_h > 0 && s.out_w > 0, "window and output must not be empty");
  const auto extent = [](int64_t size, int64_t kernel, int64_t step, int64_t spread) { return (size - spread * (kernel - 1) - 1) / step + 1; };
  require(s.out_h == extent(s.height + s.pad_top + bottom, s.kernel_h, s.stride_h, s.dilation_h) &&
              s.out_w == extent(s.width + s.pad_left + right, s.kernel_w, s.stride_w, s.dilation_w),
          "shape of out must follow from the geometry");
}

// Sums become outputs while they are in cache.
class FinishSink final : public Sink {
 public:
  FinishSink(const Epilogue& epilogue, const LayerLoops& loops, float* out) : epilogue_(epilogue), loops_(loops), out_(out) {}

  void plane(int64_t image, int64_t channel, int64_t first, int64_t count, const int32_t* sums) const override {
    loops_.pixels(epilogue_, image, channel, first, count, sums, out_ + (image * epilogue_.channels + channel) * epilogue_.pixels + first);
  }
  void row(int64_t row, int64_t first, int64_t count, const int32_t* sums) const override {
    loops_.channels(epilogue_, row, first, count, sums, out_ + row * epilogue_.channels + first);
  }

 private:
  const Epilogue& epilogue_;
  const LayerLoops& loops_;
  float* out_;
};

// Buffers of one call: the codes, the window sums they give, and the epilogue that refers to those.
struct Call {
  Bytes codes;
  Epilogue epilogue;
  IntegerOutput integer;
  Sums sums;

  // False when an activation is not finite.
  bool prepare(const float* x, Order order, const Quantiser& q, const Convolution& shape, const Surroundings& around,
               const LayerLoops& loops, int threads) {
    const int64_t area = shape.height * shape.width;
    codes = aligned_bytes(shape.batch * shape.channels * area);
    if (!quantise_planes(x, order, shape.batch, shape.channels, area, q, loops, threads, codes.get())) return false;
    if (around.integer) epilogue.integer = &integer;
    sums = sums_of(around, codes.get(), shape, threads, &epilogue);
    return true;
  }
};

lowrank::Split split_of(const lowrank::Factors* product, const Table& error, const std::string& isa) {
  require(product != nullptr, "an error needs the product it belongs to");
  return {*product, error, isa};
}

void check_isa(const std::string& isa) { require(isa_supported(isa), "this processor or build lacks the instruction set asked for"); }

bool conv2d(Array<const float, 4> x, bool channels_last, Array<const uint8_t, 4> w, const Table& table, Array<float, 4> out,
            std::array<int64_t, 9> geometry, const Surroundings& around, int threads, const std::string& isa,
            const lowrank::Factors* factors, const Table* error) {
  check_isa(isa);
  const auto [stride_h, stride_w, top, bottom, left, right, dilation_h, dilation_w, groups] = geometry;
  // Channels come last in memory: both arrays then are [N, H, W, C].
  const size_t c = channels_last ? 3 : 1, h = channels_last ? 1 : 2;
  const Quantiser q = quantiser_of(around, table.lut());
  const Convolution s{dim(x, 0),   dim(x, c),   dim(x, h),  dim(x, h + 1), dim(w, 0), dim(w, 2), dim(w, 3), dim(out, h), dim(out, h + 1),
                      stride_h,    stride_w,    top,        left,          dilation_h, dilation_w, groups,  static_cast<uint8_t>(q.zero & q.mask)};
  check_shape(s, bottom, right, dim(w, 1), dim(out, 0), dim(out, c));
  Call call{{}, epilogue_of(around, s.out_channels, groups, s.pixels()), integer_of(around, s.out_channels), {}};
  const nb::gil_scoped_release unlocked;
  const LayerLoops& loops = layer_loops(isa);
  if (!call.prepare(x.data(), channels_last ? Order::channels_last : Order::planes, q, s, around, loops, threads)) return false;
  const CodeSource codes(call.codes.get());
  const bool turned = channels_last && s.out_channels > 1 && s.pixels() > 1;
  const int64_t count = s.batch * s.out_channels * s.pixels();
  const Bytes planes = turned ? aligned_bytes(count * static_cast<int64_t>(sizeof(float))) : Bytes();
  auto* const finished = turned ? reinterpret_cast<float*>(planes.get()) : out.data();
  const FinishSink sink(call.epilogue, loops, finished);
  if (error) {
    lowrank::split_conv(codes, w.data(), split_of(factors, *error, isa), s, threads, sink);
  } else if (factors) {
    lowrank::conv(codes, w.data(), *factors, s, threads, lowrank::path_in(isa), sink);
  } else {
    table_conv(codes, w.data(), table, s, threads, path_for(isa), Scheme::choose, sink);
  }
  if (turned) put_channels_last(finished, s.batch, s.out_channels, s.pixels(), threads, out.data());
  return true;
}

bool linear(Array<const float, 2> x, Array<const uint8_t, 2> w, const Table& table, Array<float, 2> out,
            const Surroundings& around, int threads, const std::string& isa, const lowrank::Factors* factors,
            const Table* error) {
  check_isa(isa);
  const int64_t m = dim(x, 0), k = dim(x, 1), n = dim(w, 0);
  require(dim(w, 1) == k && dim(out, 0) == m && dim(out, 1) == n && k > 0, "shapes of x, w and out must agree");
  const Quantiser q = quantiser_of(around, table.lut());
  const Convolution s{m, k, 1, 1, n, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0};  // a row is an image of one pixel
  Call call{{}, epilogue_of(around, n, 1, 1), integer_of(around, n), {}};
  const nb::gil_scoped_release unlocked;
  const LayerLoops& loops = layer_loops(isa);
  if (!call.prepare(x.data(), Order::planes, q, s, around, loops, threads)) return false;
  const FinishSink sink(call.epilogue, loops, out.data());
  if (error) {
    lowrank::split_gemm(call.codes.get(), w.data(), split_of(factors, *error, isa), m, n, k, threads, sink);
  } else if (factors) {
    lowrank::gemm(call.codes.get(), w.data(), *factors, m, n, k, threads, lowrank::path_in(isa), sink);
  } else {
    table_gemm(call.codes.get(), w.data(), table, m, n, k, threads, path_for(isa), Scheme::choose, sink);
  }
  return true;
}

void restored(Array<const float, 1> x, float scale, std::array<int32_t, 3> codes, int threads, Array<float, 1> out) {
  require(dim(out, 0) == dim(x, 0), "shapes of x and out must agree");
  const nb::gil_scoped_release unlocked;
  restore(x.data(), dim(x, 0), {scale, codes[0], codes[1], codes[2], 0}, threads, out.data());
}

void inside(Array<const float, 1> x, Array<const float, 1> gradient, float low, float high, int threads, Array<float, 1> out) {
  require(dim(out, 0) == dim(x, 0) && dim(gradient, 0) == dim(x, 0), "shapes of x, gradient and out must agree");
  const nb::gil_scoped_release unlocked;
  pass_inside(x.data(), gradient.data(), dim(x, 0), low, high, threads, out.data());
}

}  // namespace

void bind_layers(nb::module_& m) {
  nb::class_<Surroundings>(m, "Surroundings", "What a layer does before and after its sums.")
      .def(
          "__init__",
          [](Surroundings* self, float scale, Numbers numbers, Array<const double, 2> constants, Maybe<const float, 1> bias,
             Maybe<const int32_t, 1> column, bool skip_padding, Maybe<const double, 2> padding, Maybe<const int64_t, 2> integer,
             std::array<double, 4> integer_out) {
            new (self) Surroundings{scale, numbers, constants, bias, column, skip_padding, padding, integer, integer_out};
          },
          "scale"_a, "numbers"_a, "constants"_a, "bias"_a.none(), "column"_a.none(), "skip_padding"_a, "padding"_a.none(),
          "integer"_a.none(), "integer_out"_a);
  m.def("conv2d_layer", &conv2d, "x"_a, "channels_last"_a, "w"_a, "table"_a, "out"_a, "geometry"_a, "around"_a, "threads"_a, "isa"_a,
        "factors"_a.none(), "error"_a.none(),
        "A convolution from float32 to float32, arranged alike; False, and nothing defined, when an activation is not finite.");
  m.def("linear_layer", &linear, "x"_a, "w"_a, "table"_a, "out"_a, "around"_a, "threads"_a, "isa"_a,
        "factors"_a.none(), "error"_a.none(),
        "A linear layer from float32 to float32; False, and nothing defined, when an activation is not finite.");
  m.def("restored", &restored, "x"_a, "scale"_a, "codes"_a, "threads"_a, "out"_a,
        "The numbers that float32 values are quantised to; codes: zero point, least, greatest.");
  m.def("inside", &inside, "x"_a, "gradient"_a, "low"_a, "high"_a, "threads"_a, "out"_a,
        "The gradient where low <= x <= high, zero elsewhere.");
}

}  // namespace inexact
