// Python face of mapped netlists. Everything is checked here: nothing later looks at a number again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <vector>

#include "arrays.hpp"
#include "silicon/silicon.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {
namespace {

// A netlist that owns its arrays.
class Mapped {
 public:
  // grids [g, 5]: slews, loads and where slew axis, load axis and values begin in `numbers`. kinds [k, 6]: inputs, outputs, first arc,
  // arcs, first power, powers. arcs [a, 7]: input, output, sense, four grids. powers [p, 4]: pin, source, two grids, and their `whens`.
  // cells [c, 8]: kind, six inputs (0 where unused), first output.
  Mapped(Array<const double, 1> numbers, Array<const int64_t, 2> grids, Array<const uint64_t, 2> tables, Array<const int64_t, 2> kinds,
         Array<const int64_t, 2> arcs, Array<const int64_t, 2> powers, Array<const uint64_t, 1> whens, Array<const int32_t, 2> cells, int64_t inputs,
         double voltage)
      : numbers_(numbers.data(), numbers.data() + dim(numbers, 0)), tables_(tables.data(), tables.data() + 2 * dim(tables, 0)) {
    require(dim(grids, 1) == 5 && dim(kinds, 1) == 6 && dim(arcs, 1) == 7 && dim(powers, 1) == 4 && dim(cells, 1) == 8, "columns must agree");
    require(dim(tables, 0) == dim(kinds, 0) && dim(tables, 1) == 2 && dim(whens, 0) == dim(powers, 0), "rows must agree");
    require(inputs >= 1 && inputs <= 4096 && voltage > 0.0, "a netlist must have inputs and a voltage");
    for (int64_t i = 0; i < dim(grids, 0); ++i) add_grid(grids.data() + 5 * i);
    for (int64_t i = 0; i < dim(kinds, 0); ++i) {
      add_kind(kinds.data() + 6 * i, tables_.data() + 2 * i, arcs.data(), dim(arcs, 0), powers.data(), whens.data(), dim(powers, 0));
    }
    int64_t nets = 2 + inputs;
    for (int64_t i = 0; i < dim(cells, 0); ++i) nets = add_cell(cells.data() + 8 * i, nets);
    netlist_ = {kinds_.data(), arcs_.data(), powers_.data(), grids_.data(), cells_.data(), static_cast<int64_t>(cells_.size()), nets, inputs, voltage};
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  const silicon::Netlist& get() const { return netlist_; }

 private:
  void add_grid(const int64_t* row) {
    const int64_t size = static_cast<int64_t>(numbers_.size());
    require(row[0] >= 1 && row[1] >= 1 && row[0] < 4096 && row[1] < 4096, "a table must have points");
    require(row[2] >= 0 && row[2] + row[0] <= size && row[3] >= 0 && row[3] + row[1] <= size, "axes must lie within the numbers");
    require(row[4] >= 0 && row[4] + row[0] * row[1] <= size, "values must lie within the numbers");
    for (int axis = 0; axis < 2; ++axis) {
      const double* points = numbers_.data() + row[2 + axis];
      for (int64_t i = 1; i < row[axis]; ++i) require(points[i] > points[i - 1], "axes must rise");
    }
    grids_.push_back({static_cast<int32_t>(row[0]), static_cast<int32_t>(row[1]), numbers_.data() + row[2], numbers_.data() + row[3],
                      numbers_.data() + row[4]});
  }

  void add_kind(const int64_t* row, const uint64_t* tables, const int64_t* arcs, int64_t all_arcs, const int64_t* powers, const uint64_t* whens,
                int64_t all_powers) {
    require(row[0] >= 0 && row[0] <= silicon::kMaxInputs && row[1] >= 1 && row[1] <= 2, "a cell has up to six inputs and one or two outputs");
    require(row[2] >= 0 && row[3] >= 0 && row[2] + row[3] <= all_arcs, "arcs must exist");
    require(row[4] >= 0 && row[5] >= 0 && row[4] + row[5] <= all_powers, "powers must exist");
    const auto grid = [&](int64_t number) {
      require(number >= 0 && number < static_cast<int64_t>(grids_.size()), "tables must exist");
      return static_cast<int32_t>(number);
    };
    kinds_.push_back({static_cast<int32_t>(row[0]), static_cast<int32_t>(row[1]), tables, static_cast<int32_t>(arcs_.size()),
                      static_cast<int32_t>(row[3]), static_cast<int32_t>(powers_.size()), static_cast<int32_t>(row[5])});
    for (const int64_t* arc = arcs + 7 * row[2]; arc != arcs + 7 * (row[2] + row[3]); arc += 7) {
      require(arc[0] >= 0 && arc[0] < row[0] && arc[1] >= 0 && arc[1] < row[1] && arc[2] >= -1 && arc[2] <= 1, "an arc joins an input and an output");
      arcs_.push_back({static_cast<int32_t>(arc[0]), static_cast<int32_t>(arc[1]), static_cast<int32_t>(arc[2]), {grid(arc[3]), grid(arc[4])},
                       {grid(arc[5]), grid(arc[6])}});
    }
    for (int64_t p = row[4]; p < row[4] + row[5]; ++p) {
      const int64_t* power = powers + 4 * p;
      require(power[0] >= 0 && power[0] < row[0] + row[1] && power[1] >= -1 && power[1] < row[0], "a power table stands at a pin");
      powers_.push_back({static_cast<int32_t>(power[0]), static_cast<int32_t>(power[1]), whens[p], {grid(power[2]), grid(power[3])}});
    }
  }

  int64_t add_cell(const int32_t* row, int64_t nets) {
    require(row[0] >= 0 && row[0] < static_cast<int32_t>(kinds_.size()), "a cell must be of a known kind");
    silicon::Instance cell{row[0], {}, row[7]};
    for (int i = 0; i < silicon::kMaxInputs; ++i) {
      require(row[1 + i] >= 0 && row[1 + i] < nets, "a cell must read nets before its own");
      cell.in[i] = row[1 + i];
    }
    require(row[7] == nets && nets < (int64_t{1} << 24), "cells must drive the nets one after the other");
    cells_.push_back(cell);
    return nets + kinds_[static_cast<size_t>(row[0])].outputs;
  }

  std::vector<double> numbers_;
  std::vector<uint64_t> tables_;
  std::vector<silicon::Grid> grids_;
  std::vector<silicon::Kind> kinds_;
  std::vector<silicon::Arc> arcs_;
  std::vector<silicon::Power> powers_;
  std::vector<silicon::Instance> cells_;
  silicon::Netlist netlist_{};
};

void check_nets(const Mapped& m, int64_t nets) { require(nets == m.get().nets, "one entry per net"); }

void timing(const Mapped& m, Array<const double, 2> loads, double input_slew, Array<double, 2> arrival, Array<double, 2> slew, Array<int32_t, 2> worst) {
  for (const int64_t nets : {dim(loads, 0), dim(arrival, 0), dim(slew, 0), dim(worst, 0)}) check_nets(m, nets);
  require(dim(loads, 1) == 2 && dim(arrival, 1) == 2 && dim(slew, 1) == 2 && dim(worst, 1) == 4, "columns must agree");
  silicon::timing(m.get(), loads.data(), input_slew, arrival.data(), slew.data(), worst.data());
}

void event_delays(const Mapped& m, Array<const double, 2> loads, Array<const double, 2> slew, double tick, Array<int32_t, 2> out) {
  check_nets(m, dim(loads, 0));
  check_nets(m, dim(slew, 0));
  require(dim(loads, 1) == 2 && dim(slew, 1) == 2 && dim(out, 0) == m.get().count && dim(out, 1) == silicon::kMaxInputs * 4 && tick > 0.0, "shapes must agree");
  silicon::event_delays(m.get(), loads.data(), slew.data(), tick, out.data());
}

void energies(const Mapped& m, Array<const double, 2> loads, Array<const double, 2> slew, Array<const int64_t, 2> states, Array<double, 2> nets,
              Array<double, 2> hidden) {
  for (const int64_t rows : {dim(loads, 0), dim(slew, 0), dim(nets, 0)}) check_nets(m, rows);
  require(dim(states, 0) == m.get().count && dim(hidden, 0) == m.get().count, "one row per cell");
  require(dim(loads, 1) == 2 && dim(slew, 1) == 2 && dim(nets, 1) == 2 && dim(states, 1) == 64 && dim(hidden, 1) == silicon::kMaxInputs * 2, "columns must agree");
  silicon::energies(m.get(), loads.data(), slew.data(), states.data(), nets.data(), hidden.data());
}

void check_pairs(const Mapped& m, const Array<const uint8_t, 2>& before, const Array<const uint8_t, 2>& after) {
  require(dim(before, 0) == dim(after, 0) && dim(before, 1) == m.get().inputs && dim(after, 1) == m.get().inputs, "pairs [n, input bits] must agree");
}

void settled(const Mapped& m, Array<const uint8_t, 2> before, Array<const uint8_t, 2> after, Array<int64_t, 2> toggles, Array<int64_t, 2> states) {
  check_pairs(m, before, after);
  require(dim(toggles, 0) == 2, "two rows of toggles");
  check_nets(m, dim(toggles, 1));
  require(dim(states, 0) == m.get().count && dim(states, 1) == 64, "64 states per cell");
  const silicon::Counts counts{toggles.data(), toggles.data() + m.get().nets, states.data()};
  const nb::gil_scoped_release unlocked;
  silicon::settled(m.get(), before.data(), after.data(), dim(before, 0), counts);
}

void check_delays(const Mapped& m, const Array<const int32_t, 2>& delays) {
  require(dim(delays, 0) == m.get().count && dim(delays, 1) == silicon::kMaxInputs * 4, "24 delays per cell");
  for (int64_t i = 0; i < dim(delays, 0) * dim(delays, 1); ++i) {
    require(delays.data()[i] >= 1 && delays.data()[i] <= silicon::kMaxDelay, "delays must be 1..4095 ticks");
  }
}

int64_t timed(const Mapped& m, Array<const int32_t, 2> delays, Array<const uint8_t, 2> before, Array<const uint8_t, 2> after,
              Array<int64_t, 2> toggles, int threads) {
  check_pairs(m, before, after);
  require(dim(toggles, 0) == 2 && threads >= 1 && threads <= 4096, "two rows of toggles, 1..4096 threads");
  check_nets(m, dim(toggles, 1));
  check_delays(m, delays);
  const silicon::Counts counts{toggles.data(), toggles.data() + m.get().nets, nullptr};
  int64_t last = 0;
  const nb::gil_scoped_release unlocked;
  silicon::timed(m.get(), delays.data(), before.data(), after.data(), dim(before, 0), threads, counts, &last);
  return last;
}

void sampled(const Mapped& m, Array<const int32_t, 2> delays, Array<const uint8_t, 2> before, Array<const uint8_t, 2> after,
             Array<const int32_t, 1> nets, Array<const int64_t, 1> edges, Array<uint64_t, 2> words, Array<int32_t, 2> latest, int threads) {
  check_pairs(m, before, after);
  check_delays(m, delays);
  require(dim(nets, 0) >= 1 && dim(nets, 0) <= 64 && threads >= 1 && threads <= 4096, "1..64 nets, 1..4096 threads");
  for (int64_t i = 0; i < dim(nets, 0); ++i) require(nets.data()[i] >= 0 && nets.data()[i] < m.get().nets, "registers must be at nets");
  for (int64_t i = 1; i < dim(edges, 0); ++i) require(edges.data()[i] >= edges.data()[i - 1], "edges must rise");
  require(dim(words, 0) == dim(before, 0) && dim(words, 1) == dim(edges, 0), "one word per pair and edge");
  require((dim(latest, 0) == dim(before, 0) || dim(latest, 0) == 0) && dim(latest, 1) == dim(nets, 0), "one time per pair and net, or none");
  const silicon::Sampling sampling{nets.data(), dim(nets, 0), edges.data(), dim(edges, 0), words.data(), dim(latest, 0) ? latest.data() : nullptr};
  const nb::gil_scoped_release unlocked;
  silicon::sampled(m.get(), delays.data(), before.data(), after.data(), dim(before, 0), threads, sampling);
}

nb::tuple late_sums(Array<const uint8_t, 4> a, Array<const int32_t, 2> rows, Array<const uint64_t, 2> late, Array<const int32_t, 2> errors,
                    Array<const int32_t, 2> products, int64_t array_rows, bool drop, Array<int64_t, 3> out, int threads) {
  const int64_t codes = dim(products, 1), tables = dim(products, 0);
  const silicon::Stationary s{a.data(), rows.data(), late.data(), errors.data(), products.data(), dim(a, 0), dim(a, 1), dim(a, 2), dim(a, 3) - 1,
                              dim(rows, 0), codes, array_rows};
  require(codes >= 1 && codes <= 256 && array_rows >= 1 && threads >= 1 && threads <= 4096, "1..256 codes, a row, a thread");
  require(s.steps >= 0 && dim(rows, 1) == s.window && s.groups >= 1 && s.channels % s.groups == 0, "a and rows must agree");
  require(dim(errors, 0) == tables && dim(errors, 1) == codes * codes && dim(late, 0) == tables && dim(late, 1) == (codes * codes + 63) / 64,
          "tables must agree");
  require(dim(out, 0) == s.images && dim(out, 1) == s.channels && dim(out, 2) == s.steps, "shape of out must agree");
  for (int64_t i = 0; i < s.channels * s.window; ++i) require(rows.data()[i] >= 0 && rows.data()[i] < tables, "tables must exist");
  const int64_t operands = s.images * s.groups * s.window * dim(a, 3);
  for (int64_t i = 0; codes < 256 && i < operands; ++i) require(a.data()[i] < codes, "activations must be codes");
  silicon::Tally found{0, 0};
  {
    const nb::gil_scoped_release unlocked;
    found = silicon::late_sums(s, drop, threads, out.data());
  }
  return nb::make_tuple(found.late, found.dropped);
}

void outputs(const Mapped& m, Array<const uint8_t, 2> inputs, Array<const int32_t, 1> nets, Array<uint8_t, 2> out) {
  require(dim(inputs, 1) == m.get().inputs && dim(out, 0) == dim(inputs, 0) && dim(out, 1) == dim(nets, 0), "shapes must agree");
  for (int64_t i = 0; i < dim(nets, 0); ++i) require(nets.data()[i] >= 0 && nets.data()[i] < m.get().nets, "outputs must be nets");
  const nb::gil_scoped_release unlocked;
  silicon::outputs(m.get(), inputs.data(), dim(inputs, 0), nets.data(), dim(nets, 0), out.data());
}

}  // namespace

void bind_silicon(nb::module_& m) {
  nb::class_<Mapped>(m, "Mapped", "A netlist of library cells with their tables; ns, fF, fJ.")
      .def(nb::init<Array<const double, 1>, Array<const int64_t, 2>, Array<const uint64_t, 2>, Array<const int64_t, 2>, Array<const int64_t, 2>,
                    Array<const int64_t, 2>, Array<const uint64_t, 1>, Array<const int32_t, 2>, int64_t, double>(),
           "numbers"_a, "grids"_a, "tables"_a, "kinds"_a, "arcs"_a, "powers"_a, "whens"_a, "cells"_a, "inputs"_a, "voltage"_a)
      .def_prop_ro("nets", [](const Mapped& mapped) { return mapped.get().nets; });
  m.def("silicon_timing", &timing, "mapped"_a, "loads"_a, "input_slew"_a, "arrival"_a, "slew"_a, "worst"_a,
        "Latest arrival and largest slew of every net by edge, and what caused the arrival.");
  m.def("silicon_event_delays", &event_delays, "mapped"_a, "loads"_a, "slew"_a, "tick"_a, "out"_a, "Delays of every cell in ticks.");
  m.def("silicon_energies", &energies, "mapped"_a, "loads"_a, "slew"_a, "states"_a, "nets"_a, "hidden"_a,
        "Energy of one rise and one fall of every net, and of every cell's input by itself.");
  m.def("silicon_settled", &settled, "mapped"_a, "before"_a, "after"_a, "toggles"_a, "states"_a, "Toggles of settled values, states of cells.");
  m.def("silicon_timed", &timed, "mapped"_a, "delays"_a, "before"_a, "after"_a, "toggles"_a, "threads"_a,
        "Toggles of an event-driven simulation; returns the largest settling time in ticks.");
  m.def("silicon_sampled", &sampled, "mapped"_a, "delays"_a, "before"_a, "after"_a, "nets"_a, "edges"_a, "words"_a, "latest"_a, "threads"_a,
        "What registers at nets take at clock edges, and when each net last changed.");
  m.def("silicon_late_sums", &late_sums, "a"_a, "rows"_a, "late"_a, "errors"_a, "products"_a, "array_rows"_a, "drop"_a, "out"_a, "threads"_a,
        "Errors of sums whose products were taken too early; returns how many were late and how many were left out.");
  m.def("silicon_outputs", &outputs, "mapped"_a, "inputs"_a, "nets"_a, "out"_a, "Values of nets for patterns of the inputs.");
}

}  // namespace inexact
