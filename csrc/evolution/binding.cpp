// Python face of the search. Everything is checked here: nothing later looks at a number again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "arrays.hpp"
#include "evolution/evolution.hpp"
#include "inexact.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace inexact {
namespace {

using evolution::Node;
using evolution::Search;
using evolution::Task;

const evolution::Lanes& lanes_of(const std::string& isa) {
  require(isa_supported(isa), "this processor or build lacks the instruction set asked for");
#ifdef INEXACT_AVX512
  if (isa == "avx512" && __builtin_cpu_supports("avx512vpopcntdq")) return evolution::avx512_lanes();
#endif
#ifdef INEXACT_AVX2
  if (isa != "scalar" && __builtin_cpu_supports("popcnt")) return evolution::avx2_lanes();
#endif
  return evolution::scalar_lanes();
}

// A search that owns the arrays of its task.
class Evolver {
 public:
  Evolver(Array<const int32_t, 2> nodes, Array<const int32_t, 1> outputs, Array<const uint64_t, 2> operands, Array<const uint64_t, 2> exact,
          Array<const uint64_t, 1> zero, Array<const int64_t, 1> weight_a, Array<const int64_t, 1> weight_b, Array<const int64_t, 1> costs,
          bool negative, int32_t metric, bool zero_exact, int64_t worst, double bias, uint64_t seed, const std::string& isa)
      : operands_(operands.data(), operands.data() + operands.size()), exact_(exact.data(), exact.data() + exact.size()),
        zero_(zero.data(), zero.data() + zero.size()), weight_a_(weight_a.data(), weight_a.data() + weight_a.size()),
        weight_b_(weight_b.data(), weight_b.data() + weight_b.size()) {
    const int64_t inputs = dim(operands, 0), words = dim(operands, 1);
    require(inputs >= 2 && inputs <= 16 && words >= 8 && words <= 1024 && (words & (words - 1)) == 0, "operands must have 2..16 bits in all");
    require(dim(exact, 1) == words && dim(zero, 0) == words, "planes must be alike");
    require(dim(exact, 0) >= 2 && dim(exact, 0) <= 19 && dim(outputs, 0) >= 1 && dim(outputs, 0) < dim(exact, 0), "results must have fewer bits than the difference");
    const int64_t width = dim(weight_b, 0);
    require(width >= 1 && width <= 4096 && (width & (width - 1)) == 0 && dim(weight_a, 0) * width == words * 64, "one weight per operand value");
    require(metric < evolution::kWeightedMae || width >= 32, "a weighted metric needs 5 bits of operand b");
    require(metric >= 0 && metric < evolution::kMetrics && dim(costs, 0) == kGateKinds, "metric and costs must be known");
    Task task{};
    task.inputs = static_cast<int32_t>(inputs);
    task.outputs = static_cast<int32_t>(dim(outputs, 0));
    task.bits = static_cast<int32_t>(dim(exact, 0));
    task.words = words;
    while ((int64_t{1} << task.b_bits) < width) ++task.b_bits;
    task.negative = negative;
    task.operands = operands_.data();
    task.exact = exact_.data();
    task.zero = zero_.data();
    task.weight_a = weight_a_.data();
    task.weight_b = weight_b_.data();
    task.metric = static_cast<evolution::Metric>(metric);
    task.zero_exact = zero_exact;
    task.worst = worst;
    task.bias = bias;
    for (int i = 0; i < kGateKinds; ++i) {
      require(costs.data()[i] >= 0 && costs.data()[i] < (int64_t{1} << 40), "costs must be 0 or more");
      task.costs[i] = costs.data()[i];
    }
    inputs_ = task.inputs;
    search_.reset(new Search(task, lanes_of(isa), checked(nodes), checked(outputs, dim(nodes, 0)), seed));
  }

  void run(int64_t generations, double target) {
    require(generations >= 0, "generations must be 0 or more");
    const nb::gil_scoped_release unlocked;
    search_->run(generations, target);
  }

  std::tuple<bool, double> evaluate() {
    const evolution::Verdict verdict = search_->evaluate();
    return {verdict.feasible, verdict.metric};
  }

  void genome(Array<int32_t, 2> nodes, Array<int32_t, 1> outputs) const {
    require(dim(nodes, 0) == static_cast<int64_t>(search_->nodes().size()) && dim(nodes, 1) == 4, "one row per node");
    require(dim(outputs, 0) == static_cast<int64_t>(search_->outputs().size()), "one entry per output");
    int32_t* row = nodes.data();
    for (const Node& node : search_->nodes()) {
      *row++ = node.op;
      for (const int32_t in : node.in) *row++ = in;
    }
    std::copy(search_->outputs().begin(), search_->outputs().end(), outputs.data());
  }

  void restore(Array<const int32_t, 2> nodes, Array<const int32_t, 1> outputs) {
    require(dim(nodes, 0) == static_cast<int64_t>(search_->nodes().size()), "the number of nodes is fixed");
    require(dim(outputs, 0) == static_cast<int64_t>(search_->outputs().size()), "the number of outputs is fixed");
    search_->restore(checked(nodes), checked(outputs, dim(nodes, 0)));
  }

  void get_random(Array<uint64_t, 1> state) const {
    require(dim(state, 0) == 4, "four words");
    std::copy_n(search_->random().state, 4, state.data());
  }

  void set_random(Array<const uint64_t, 1> state) {
    require(dim(state, 0) == 4, "four words");
    std::copy_n(state.data(), 4, search_->random().state);
  }

  int64_t cost() const { return search_->cost(); }
  double metric() const { return search_->metric(); }
  std::tuple<int64_t, int64_t, int64_t, int64_t> statistics() const {
    const evolution::Statistics& s = search_->statistics();
    return {s.generations, s.simulated, s.accepted, s.better};
  }

 private:
  int32_t signals(int64_t node) const { return static_cast<int32_t>(2 + inputs_ + 2 * node); }

  std::vector<Node> checked(const Array<const int32_t, 2>& rows) const {
    require(dim(rows, 1) == 4 && dim(rows, 0) >= 1 && dim(rows, 0) <= 65536, "1..65536 nodes of four columns");
    std::vector<Node> nodes;
    for (int64_t n = 0; n < dim(rows, 0); ++n) {
      const int32_t* row = rows.data() + 4 * n;
      require(row[0] >= 0 && row[0] < kGateKinds, "unknown kind of gate");
      for (int i = 0; i < 3; ++i) {
        require(row[1 + i] >= 0 && row[1 + i] < signals(n), "a node must read what comes before it");
        const bool carry = row[1 + i] >= signals(0) && (row[1 + i] - signals(0)) % 2 == 1;
        require(!carry || evolution::kFanOut[nodes[static_cast<size_t>((row[1 + i] - signals(0)) / 2)].op] == 2, "only adders have a carry");
      }
      nodes.push_back({row[0], {row[1], row[2], row[3]}});
    }
    return nodes;
  }

  std::vector<int32_t> checked(const Array<const int32_t, 1>& outputs, int64_t nodes) const {
    for (int64_t i = 0; i < dim(outputs, 0); ++i) require(outputs.data()[i] >= 0 && outputs.data()[i] < signals(nodes), "an output must be a signal");
    return {outputs.data(), outputs.data() + dim(outputs, 0)};
  }

  std::vector<uint64_t> operands_, exact_, zero_;
  std::vector<int64_t> weight_a_, weight_b_;
  int32_t inputs_ = 0;
  std::unique_ptr<Search> search_;
};

}  // namespace

void bind_evolution(nb::module_& m) {
  nb::class_<Evolver>(m, "Evolver", "Evolves one netlist towards less cost under a bound on its error.")
      .def(nb::init<Array<const int32_t, 2>, Array<const int32_t, 1>, Array<const uint64_t, 2>, Array<const uint64_t, 2>, Array<const uint64_t, 1>,
                    Array<const int64_t, 1>, Array<const int64_t, 1>, Array<const int64_t, 1>, bool, int32_t, bool, int64_t, double, uint64_t,
                    const std::string&>(),
           "nodes"_a, "outputs"_a, "operands"_a, "exact"_a, "zero"_a, "weight_a"_a, "weight_b"_a, "costs"_a, "negative"_a, "metric"_a,
           "zero_exact"_a, "worst"_a, "bias"_a, "seed"_a, "isa"_a)
      .def("run", &Evolver::run, "generations"_a, "target"_a, "Children made and judged one after the other; the metric stays at most `target`.")
      .def("evaluate", &Evolver::evaluate, "(feasible, metric) of the parent, every node anew.")
      .def("genome", &Evolver::genome, "nodes"_a, "outputs"_a, "Copy the parent into arrays.")
      .def("restore", &Evolver::restore, "nodes"_a, "outputs"_a, "Set the parent.")
      .def("get_random", &Evolver::get_random, "state"_a)
      .def("set_random", &Evolver::set_random, "state"_a)
      .def_prop_ro("cost", &Evolver::cost)
      .def_prop_ro("metric", &Evolver::metric)
      .def_prop_ro("statistics", &Evolver::statistics, "Generations, children simulated, accepted, cheaper than their parent.");
}

}  // namespace inexact
