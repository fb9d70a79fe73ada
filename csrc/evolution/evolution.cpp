// The search: moves, the cost first, then the changed cone block by block.
#include "evolution/evolution.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace inexact::evolution {
namespace {

uint64_t rotated(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

constexpr double kUnit = 1048576.0;  // the sum of an operand's weights

}  // namespace

// xoshiro256**, seeded by splitmix64 (D. Blackman, S. Vigna, 2018).
Random::Random(uint64_t seed) {
  for (uint64_t& word : state) {
    seed += 0x9E3779B97F4A7C15ull;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    word = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  const uint64_t result = rotated(state[1] * 5, 7) * 9, t = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= t;
  state[3] = rotated(state[3], 45);
  return result;
}

Search::Search(const Task& task, const Lanes& lanes, std::vector<Node> nodes, std::vector<int32_t> outputs, uint64_t seed)
    : task_(task), lanes_(lanes), nodes_(std::move(nodes)), outputs_(std::move(outputs)), random_(seed) {
  const size_t count = nodes_.size(), planes = static_cast<size_t>(first_signal()) + 2 * count;
  const int64_t given = task_.bits + 1, width = std::min(task_.words, kBlockWords), blocks = task_.words / width;
  block_step_ = (static_cast<int64_t>(planes) + given) * width;
  planes_.reset(new uint64_t[static_cast<size_t>(blocks * block_step_ + 2 * static_cast<int64_t>(count) * width) + 8]());
  const uintptr_t address = reinterpret_cast<uintptr_t>(planes_.get());
  base_ = reinterpret_cast<uint64_t*>((address + 63) & ~uintptr_t{63});
  exact_ = base_ + static_cast<int64_t>(planes) * width;
  tried_ = base_ + blocks * block_step_;
  for (int64_t block = 0; block < blocks; ++block) {
    uint64_t* at = base_ + block * block_step_;
    const auto copy = [&](const uint64_t* from, int64_t place) { std::copy_n(from + block * width, width, at + place * width); };
    std::fill_n(at + width, width, ~uint64_t{0});
    for (int32_t i = 0; i < task_.inputs; ++i) copy(task_.operands + i * task_.words, 2 + i);
    for (int32_t i = 0; i < task_.bits; ++i) copy(task_.exact + i * task_.words, static_cast<int64_t>(planes) + i);
    copy(task_.zero, static_cast<int64_t>(planes) + task_.bits);
  }
  valid_.assign(count, 0);
  changed_.assign(count, 0);
  block_error_.assign(static_cast<size_t>(blocks), 0);
  order_.resize(static_cast<size_t>(blocks));
  std::iota(order_.begin(), order_.end(), 0);
  if (task_.metric >= kWeightedMae) {
    const int64_t width = int64_t{1} << task_.b_bits, columns = 2 * std::min(task_.words, kBlockWords);
    per_ = width / 32;
    for (int64_t l = 0; l < 32; ++l) {
      for (int64_t c = 0; c < columns; ++c) weights_b_.push_back(static_cast<double>(task_.weight_b[c % per_ * 32 + l]));
    }
    weights_a_.assign(task_.weight_a, task_.weight_a + task_.words * 64 / width);
    row_.resize(weights_a_.size());
    row_square_.resize(weights_a_.size());
    column_.resize(static_cast<size_t>(width));
  }
  adopt();
}

void Search::restore(std::vector<Node> nodes, std::vector<int32_t> outputs) {
  nodes_ = std::move(nodes);
  outputs_ = std::move(outputs);
  adopt();
}

Place Search::place(int32_t signal) const {
  const int64_t width = std::min(task_.words, kBlockWords);
  if (signal < first_signal() || !changed_[static_cast<size_t>(node_of(signal))]) return {base_ + signal * width, block_step_};
  return {tried_ + (signal - first_signal()) * width, 0};
}

int64_t Search::mark_active(const std::vector<Node>& nodes, const std::vector<int32_t>& outputs, std::vector<uint8_t>& active) const {
  active.assign(nodes.size(), 0);
  const int32_t first = first_signal();
  for (const int32_t output : outputs) {
    if (output >= first) active[static_cast<size_t>(node_of(output))] = 1;
  }
  int64_t cost = 0;
  for (size_t n = nodes.size(); n-- > 0;) {
    if (!active[n]) continue;
    const Node& node = nodes[n];
    cost += task_.costs[node.op];
    for (int i = 0; i < kFanIn[node.op]; ++i) {
      if (node.in[i] >= first) active[static_cast<size_t>(node_of(node.in[i]))] = 1;
    }
  }
  return cost;
}

// A signal that a node may read: mostly one in use, sometimes a constant.
int32_t Search::earlier(int32_t node) {
  if (random_.below(8) == 0) return random_.below(2);
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int32_t n = node > 0 ? random_.below(node + task_.inputs) : random_.below(task_.inputs);
    if (n < task_.inputs) return 2 + n;
    const int32_t candidate = n - task_.inputs;
    if (!active_[static_cast<size_t>(candidate)] && attempt < 3) continue;
    const int32_t outputs = kFanOut[child_nodes_[static_cast<size_t>(candidate)].op];
    return first_signal() + 2 * candidate + (outputs == 2 ? random_.below(2) : 0);
  }
  return 0;
}

void Search::redirect(int32_t from, int32_t to) {
  for (size_t n = static_cast<size_t>(node_of(from)) + 1; n < child_nodes_.size(); ++n) {
    Node& node = child_nodes_[n];
    for (int i = 0; i < kFanIn[node.op]; ++i) {
      if (node.in[i] == from) node.in[i] = to;
    }
  }
  for (int32_t& output : child_outputs_) {
    if (output == from) output = to;
  }
}

// One to three moves on the child; whether anything in use changed.
bool Search::mutate() {
  child_nodes_ = nodes_;
  child_outputs_ = outputs_;
  if (active_list_.empty()) return false;
  bool used = false;
  const int moves = 1 + random_.below(3);
  for (int m = 0; m < moves; ++m) {
    const int32_t kind = random_.below(100);
    if (kind < 4) {
      int32_t& output = child_outputs_[static_cast<size_t>(random_.below(task_.outputs))];
      output = earlier(static_cast<int32_t>(child_nodes_.size()));
      used = true;
      continue;
    }
    const bool spare = random_.below(10) == 0;
    const int32_t n = spare ? random_.below(static_cast<int32_t>(nodes_.size()))
                            : active_list_[static_cast<size_t>(random_.below(static_cast<int32_t>(active_list_.size())))];
    used |= active_[static_cast<size_t>(n)] != 0;
    Node& node = child_nodes_[static_cast<size_t>(n)];
    if (kind < 40) {
      node.in[random_.below(kFanIn[node.op])] = earlier(n);
    } else if (kind < 75) {
      const int32_t signal = first_signal() + 2 * n + (kFanOut[node.op] == 2 ? random_.below(2) : 0);
      redirect(signal, earlier(n));
    } else {
      const int32_t before = node.op;
      // a full adder often becomes less: a half adder, or one of its outputs something simple
      node.op = before == kFull && random_.below(2) ? (random_.below(2) ? kHalf : kOr) : random_.below(kGateKinds);
      if (kFanOut[before] == 2 && kFanOut[node.op] == 1) redirect(first_signal() + 2 * n + 1, random_.below(2) ? first_signal() + 2 * n : earlier(n));
      for (int i = 0; i < kFanIn[node.op]; ++i) {
        if (i >= kFanIn[before]) node.in[i] = earlier(n);
      }
      for (int i = kFanIn[node.op]; i < 3; ++i) node.in[i] = 0;
    }
  }
  return used;
}

// The child's cone, block by block, in memory that every block uses again: most children are refused, and this stays in the cache.
Verdict Search::judge(double target) {
  const int32_t first = first_signal();
  cone_.clear();
  for (size_t n = 0; n < child_nodes_.size(); ++n) {
    const Node& node = child_nodes_[n];
    bool dirty = !valid_[n] || !(node == nodes_[n]);
    for (int i = 0; !dirty && i < kFanIn[node.op]; ++i) dirty = node.in[i] >= first && changed_[static_cast<size_t>(node_of(node.in[i]))];
    changed_[n] = dirty;
    if (dirty && child_active_[n]) cone_.push_back(static_cast<int32_t>(n));
  }
  Place approx[64];
  const uint64_t *exact[64], *approx_block[64], *exact_block[64];
  for (int32_t i = 0; i < task_.bits; ++i) {
    const bool beyond = i >= task_.outputs;
    approx[i] = !beyond ? place(child_outputs_[static_cast<size_t>(i)]) : task_.negative ? approx[task_.outputs - 1] : place(0);
    exact[i] = exact_ + i * std::min(task_.words, kBlockWords);
  }
  list_steps();
  const bool by_lane = task_.metric >= kWeightedMae;
  const double pairs = static_cast<double>(task_.words) * 64.0;
  // a bound that every difference meets is none; the comparison looks at the difference's bits alone
  const double beyond = std::ldexp(1.0, task_.bits);
  const double bound = std::min(task_.worst >= 0 ? static_cast<double>(task_.worst) : beyond, task_.metric == kWorst ? target : beyond);
  const int64_t limit = bound < beyond ? static_cast<int64_t>(bound) : -1;
  if (by_lane) std::fill(column_.begin(), column_.end(), 0.0);
  const Wanted wanted{limit, task_.zero_exact, task_.metric == kProbability, task_.bias >= 0.0, task_.metric == kMse};
  const Weights weights{weights_b_.data(), per_, task_.metric >= kFolded, task_.metric == kWeightedMae};
  Sums sums{};
  for (const int32_t block : order_) {
    const int64_t begin = block * block_step_, words = std::min(kBlockWords, task_.words);
    run_steps(block);
    for (int32_t i = 0; i < task_.bits; ++i) {
      approx_block[i] = approx[i].of(block);
      exact_block[i] = exact[i] + begin;
    }
    const int64_t before = sums.absolute;
    lanes_.sums(approx_block, exact_block, task_.bits, exact_block[0] + task_.bits * words, wanted, words, sums);
    block_error_[static_cast<size_t>(block)] = sums.absolute - before;
    if (sums.too_large || (task_.zero_exact && sums.zero_wrong)) return {false, 0.0};
    if (task_.metric == kMae && static_cast<double>(sums.absolute) > target * pairs) return {false, 0.0};
    if (task_.metric == kMse && static_cast<double>(sums.square) > target * pairs) return {false, 0.0};
    if (task_.metric == kProbability && static_cast<double>(sums.wrong) > target * pairs) return {false, 0.0};
    if (!by_lane) continue;
    const int64_t a = block * words * 2 / per_;
    Moments moments{row_.data() + a, row_square_.data() + a, column_.data()};
    lanes_.moments(approx_block, exact_block, task_.bits, words, weights, weights_a_.data() + a, moments);
  }
  if (task_.bias >= 0.0 && std::fabs(static_cast<double>(sums.error)) > task_.bias * pairs) return {false, 0.0};
  double value = 0.0;
  switch (task_.metric) {
    case kMae: value = static_cast<double>(sums.absolute) / pairs; break;
    case kMse: value = static_cast<double>(sums.square) / pairs; break;
    case kProbability: value = static_cast<double>(sums.wrong) / pairs; break;
    case kWorst: value = std::min(bound, target); break;
    default: value = weighted_metric();
  }
  return {value <= target, value};
}

// Over independent operands: error = mu + f(a) + g(b) + h; its second moment is mu^2 + var f + var g + var h.
double Search::weighted_metric() const {
  double first = 0.0, second = 0.0, of_a = 0.0, of_b = 0.0;
  for (size_t a = 0; a < row_.size(); ++a) {
    const double w = weights_a_[a] / kUnit, mean = row_[a] / kUnit;
    first += w * mean;
    of_a += w * mean * mean;
    second += w * row_square_[a] / kUnit;
  }
  for (int64_t l = 0; l < 32; ++l) {
    for (int64_t j = 0; j < per_; ++j) {
      const double mean = column_[static_cast<size_t>(l * per_ + j)] / kUnit;
      of_b += static_cast<double>(task_.weight_b[j * 32 + l]) / kUnit * mean * mean;
    }
  }
  switch (task_.metric) {
    case kWeightedMae: return first;
    case kWeightedMse: return second;
    case kFolded: return std::sqrt(std::max(0.0, second - of_b));
    default: return std::sqrt(std::max(0.0, second - of_b - of_a + first * first));
  }
}

void Search::list_steps() {
  steps_.clear();
  for (const int32_t n : cone_) {
    const Node& node = child_nodes_[static_cast<size_t>(n)];
    Step step{node.op, {}, {}};
    for (int i = 0; i < 3; ++i) step.in[i] = place(i < kFanIn[node.op] ? node.in[i] : 0);
    for (int o = 0; o < 2; ++o) step.out[o] = place(first_signal() + 2 * n + o);
    steps_.push_back(step);
  }
}

void Search::run_steps(int64_t block) {
  const int64_t words = std::min(kBlockWords, task_.words);
  for (const Step& s : steps_) {
    lanes_.gate(s.op, s.in[0].of(block), s.in[1].of(block), s.in[2].of(block), s.out[0].of(block), s.out[1].of(block), words);
  }
}

// The child becomes the parent: its cone again, now where the parent's planes stand.
void Search::take_over() {
  for (size_t n = 0; n < child_nodes_.size(); ++n) {
    if (changed_[n]) valid_[n] = child_active_[n];
  }
  std::fill(changed_.begin(), changed_.end(), uint8_t{0});
  list_steps();
  for (int64_t block = 0; block < static_cast<int64_t>(order_.size()); ++block) run_steps(block);
  nodes_.swap(child_nodes_);
  outputs_.swap(child_outputs_);
  active_.swap(child_active_);
  cost_ = child_cost_;
  active_list_.clear();
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (active_[n]) active_list_.push_back(static_cast<int32_t>(n));
  }
  // worst blocks first; ties by number, so that every machine takes the same order
  std::sort(order_.begin(), order_.end(), [&](int32_t x, int32_t y) {
    const int64_t p = block_error_[static_cast<size_t>(x)], q = block_error_[static_cast<size_t>(y)];
    return p != q ? p > q : x < y;
  });
}

Verdict Search::evaluate() {
  const std::vector<uint8_t> valid = valid_;
  std::fill(valid_.begin(), valid_.end(), uint8_t{0});
  child_nodes_ = nodes_;
  child_outputs_ = outputs_;
  child_cost_ = mark_active(child_nodes_, child_outputs_, child_active_);
  const Verdict verdict = judge(INFINITY);
  valid_ = valid;
  return verdict;
}

void Search::adopt() {
  metric_ = evaluate().metric;
  take_over();
}

void Search::run(int64_t generations, double target) {
  for (int64_t g = 0; g < generations; ++g) {
    ++statistics_.generations;
    if (!mutate()) {
      nodes_.swap(child_nodes_);
      // spare nodes changed: what stood in them is no longer right
      for (size_t n = 0; n < nodes_.size(); ++n) {
        if (!active_[n]) valid_[n] = 0;
      }
      continue;
    }
    child_cost_ = mark_active(child_nodes_, child_outputs_, child_active_);
    if (child_cost_ > cost_) continue;
    ++statistics_.simulated;
    const Verdict verdict = judge(target);
    if (!verdict.feasible) continue;
    ++statistics_.accepted;
    statistics_.better += child_cost_ < cost_;
    metric_ = verdict.metric;
    take_over();
  }
}

}  // namespace inexact::evolution
