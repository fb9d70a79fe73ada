// Cartesian genetic programming of netlists: all operand pairs at once, only the changed cone again, stop as soon as it is too bad.
// Raw pointers and sizes; everything is checked by the binding before it comes here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "circuits/circuits.hpp"

namespace inexact::evolution {

// Signals: 0, 1 constants; 2 .. 2 + inputs the operands' bits; then two per node, 2 + inputs + 2 * node (+ 1: the carry of an adder).
struct Node {
  int32_t op;  // GateKind
  int32_t in[3];
  bool operator==(const Node& other) const { return op == other.op && in[0] == other.in[0] && in[1] == other.in[1] && in[2] == other.in[2]; }
};

constexpr int kFanIn[kGateKinds] = {1, 2, 2, 2, 2, 2, 2, 3, 2, 3};
constexpr int kFanOut[kGateKinds] = {1, 1, 1, 1, 1, 1, 1, 1, 2, 2};

constexpr int64_t kBlockWords = 64;  // words of a plane evaluated at once: 4,096 operand pairs

enum Metric : int32_t { kMae, kMse, kProbability, kWorst, kWeightedMae, kWeightedMse, kFolded, kColumn, kMetrics };

// Reference and aim. Planes are [bit][words]; the exact result has `bits` bits, sign-extended for signed.
struct Task {
  int32_t inputs, outputs, bits;     // bits: of approx and exact alike, one more than the wider: the difference fits
  int64_t words;                     // 2^inputs / 64, a multiple of kBlockWords or fewer
  int32_t b_bits;                    // operand b is the lower bits of the pair's number
  bool negative;                     // results are two's complement
  const uint64_t* operands;          // [inputs][words]
  const uint64_t* exact;             // [bits][words]
  const uint64_t* zero;              // [words]: pairs with an operand that is 0
  const int64_t *weight_a, *weight_b;  // by bit pattern, sums 2^20 each; b has at least 32 values where a metric is weighted
  Metric metric;
  bool zero_exact;
  int64_t worst;                     // largest |error| allowed, or -1
  double bias;                       // largest |mean error| allowed, or negative
  int64_t costs[kGateKinds];
};

// Sums over one block of pairs, uniform weights; exact integers.
struct Sums {
  int64_t absolute, square, wrong, error;
  bool too_large, zero_wrong;
};

// What of the sums is needed. limit: |error| above it is too large (< 0: any goes).
struct Wanted {
  int64_t limit;
  bool zero_exact, wrong, signed_sum, square;
};

// Weights of operand b laid out as `moments` meets them, [32][columns of a block]: lane l of column c has pair 32 c + l; `per` columns
// hold all values of b. column: whether sums over a are wanted; absolute: |error| instead of error and its square.
struct Weights {
  const double* b;
  int64_t per;
  bool column, absolute;
};

// row, row_square: per value of a in the block, over b. column [32][per]: running sums over a. All integers, exact; but the squares.
struct Moments {
  double *row, *row_square, *column;
};

// What one instruction set provides; all give identical bits. approx, exact: `bits` pointers to planes of this block.
struct Lanes {
  void (*gate)(int32_t op, const uint64_t* x, const uint64_t* y, const uint64_t* z, uint64_t* out0, uint64_t* out1, int64_t words);
  void (*sums)(const uint64_t* const* approx, const uint64_t* const* exact, int32_t bits, const uint64_t* zero, const Wanted& wanted, int64_t words,
               Sums& sums);
  void (*moments)(const uint64_t* const* approx, const uint64_t* const* exact, int32_t bits, int64_t words, const Weights& weights,
                  const double* weight_a, Moments& result);
};

const Lanes& scalar_lanes();
const Lanes& avx2_lanes();
const Lanes& avx512_lanes();

struct Verdict {
  bool feasible;
  double metric;
};

struct Random {
  uint64_t state[4];
  explicit Random(uint64_t seed);
  uint64_t next();
  // 0 .. bound - 1
  int32_t below(int32_t bound) { return static_cast<int32_t>((static_cast<unsigned __int128>(next()) * static_cast<uint64_t>(bound)) >> 64); }
};

struct Statistics {
  int64_t generations, simulated, accepted, better;
};

// Where a signal's plane stands: in block 0, and how far apart the blocks are (0: the same memory for all).
struct Place {
  uint64_t* first;
  int64_t step;
  uint64_t* of(int64_t block) const { return first + block * step; }
};

struct Step {
  int32_t op;  // GateKind
  Place in[3], out[2];
};

// One parent, one child at a time: the child takes over when it meets the target and costs no more.
class Search {
 public:
  Search(const Task& task, const Lanes& lanes, std::vector<Node> nodes, std::vector<int32_t> outputs, uint64_t seed);

  void run(int64_t generations, double target);
  // The parent judged anew, every node, as a search without incremental evaluation would judge a child.
  Verdict evaluate();

  int64_t cost() const { return cost_; }
  double metric() const { return metric_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  const Statistics& statistics() const { return statistics_; }
  Random& random() { return random_; }
  void restore(std::vector<Node> nodes, std::vector<int32_t> outputs);

 private:
  int32_t first_signal() const { return 2 + task_.inputs; }
  int32_t node_of(int32_t signal) const { return (signal - first_signal()) / 2; }
  // Of a child's signal: in memory of its own where it changed, else the parent's.
  Place place(int32_t signal) const;
  int64_t mark_active(const std::vector<Node>& nodes, const std::vector<int32_t>& outputs, std::vector<uint8_t>& active) const;
  bool mutate();
  int32_t earlier(int32_t node);
  void redirect(int32_t from, int32_t to);
  Verdict judge(double target);
  double weighted_metric() const;
  void list_steps();
  void run_steps(int64_t block);
  void take_over();
  void adopt();

  Task task_;
  const Lanes& lanes_;
  std::vector<Node> nodes_, child_nodes_;
  std::vector<int32_t> outputs_, child_outputs_;
  Random random_;
  std::unique_ptr<uint64_t[]> planes_;   // the parent's, one per signal, then one block of a child's nodes
  uint64_t *base_ = nullptr, *exact_ = nullptr, *tried_ = nullptr;  // aligned; of the first block
  int64_t block_step_ = 0;               // all planes of a block lie together: far apart, they would fall into the same cache sets
  std::vector<uint8_t> valid_, active_, child_active_, changed_;
  std::vector<int32_t> cone_, active_list_, order_;
  std::vector<Step> steps_;
  std::vector<int64_t> block_error_;
  std::vector<double> weights_b_, weights_a_, row_, row_square_, column_;
  int64_t per_ = 0;
  int64_t cost_ = 0, child_cost_ = 0;
  double metric_ = 0.0;
  Statistics statistics_{};
};

}  // namespace inexact::evolution
