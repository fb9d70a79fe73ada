// What toggles: settled values, 64 pairs a word, and an event-driven simulation pair by pair.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "drive/parallel.hpp"
#include "silicon/silicon.hpp"

namespace inexact::silicon {
namespace {

constexpr int64_t kBlock = 64;

// Words of all nets for up to 64 patterns of inputs, from 0/1 bytes.
void load(const Netlist& n, const uint8_t* patterns, int64_t lanes, std::vector<uint64_t>& words) {
  words[0] = 0;
  words[1] = ~uint64_t{0};
  for (int64_t i = 0; i < n.inputs; ++i) {
    uint64_t word = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) word |= static_cast<uint64_t>(patterns[lane * n.inputs + i] & 1) << lane;
    words[static_cast<size_t>(2 + i)] = word;
  }
}

// Words of each state of a cell's inputs.
int minterms(const Netlist& n, const Instance& cell, const std::vector<uint64_t>& words, std::array<uint64_t, 64>& terms) {
  const int inputs = n.kinds[cell.kind].inputs;
  terms[0] = ~uint64_t{0};
  for (int i = 0; i < inputs; ++i) {
    const uint64_t word = words[static_cast<size_t>(cell.in[i])];
    for (int s = 0; s < 1 << i; ++s) {
      terms[static_cast<size_t>(s + (1 << i))] = terms[static_cast<size_t>(s)] & word;
      terms[static_cast<size_t>(s)] &= ~word;
    }
  }
  return 1 << inputs;
}

// All cells; states (or null) counts the states of `lanes`.
void run(const Netlist& n, std::vector<uint64_t>& words, uint64_t lanes, int64_t* states) {
  std::array<uint64_t, 64> terms;
  for (int64_t c = 0; c < n.count; ++c) {
    const Instance& cell = n.cells[c];
    const Kind& kind = n.kinds[cell.kind];
    const int count = minterms(n, cell, words, terms);
    for (int32_t o = 0; o < kind.outputs; ++o) {
      uint64_t word = 0;
      for (int s = 0; s < count; ++s) word |= kind.tables[o] >> s & 1 ? terms[static_cast<size_t>(s)] : 0;
      words[static_cast<size_t>(cell.first_out + o)] = word;
    }
    if (!states) continue;
    for (int s = 0; s < count; ++s) states[c * 64 + s] += __builtin_popcountll(terms[static_cast<size_t>(s)] & lanes);
  }
}

// Settled words of the patterns [begin, end), block by block: meet(words, lane, pattern) for each of them.
template <typename Meet>
void each_settled(const Netlist& n, const uint8_t* patterns, int64_t begin, int64_t end, const Meet& meet) {
  std::vector<uint64_t> words(static_cast<size_t>(n.nets));
  for (int64_t first = begin; first < end; first += kBlock) {
    const int64_t lanes = std::min(kBlock, end - first);
    load(n, patterns + first * n.inputs, lanes, words);
    run(n, words, 0, nullptr);
    for (int64_t lane = 0; lane < lanes; ++lane) meet(words, static_cast<int>(lane), first + lane);
  }
}

// The pairs in equal shares, one a task: work(task, begin, end).
template <typename Work>
void in_shares(int64_t pairs, int64_t tasks, int threads, const Work& work) {
  const int64_t share = (pairs + tasks - 1) / tasks;
  parallel_for(tasks, threads, [&](int64_t task) { work(static_cast<size_t>(task), task * share, std::min(pairs, (task + 1) * share)); });
}

int64_t tasks_of(int64_t pairs, int threads) { return std::max<int64_t>(1, std::min<int64_t>(threads, pairs / kBlock)); }

uint64_t first_lanes(int64_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

// One pair after the other; everything it needs is allocated once.
class Events {
 public:
  Events(const Netlist& n, const int32_t* delays)
      : n_(n), delays_(delays), value_(static_cast<size_t>(n.nets)), pending_(static_cast<size_t>(n.nets), -1),
        due_(static_cast<size_t>(n.nets)), mask_(static_cast<size_t>(n.count)), readers_(static_cast<size_t>(n.nets) + 1) {
    for (int64_t c = 0; c < n.count; ++c) {
      for (int i = 0; i < n.kinds[n.cells[c].kind].inputs; ++i) ++readers_[static_cast<size_t>(n.cells[c].in[i]) + 1];
    }
    for (size_t net = 1; net < readers_.size(); ++net) readers_[net] += readers_[net - 1];
    fan_.resize(static_cast<size_t>(readers_.back()));
    std::vector<int32_t> next(readers_.begin(), readers_.end() - 1);
    for (int64_t c = 0; c < n.count; ++c) {
      for (int i = 0; i < n.kinds[n.cells[c].kind].inputs; ++i) {
        fan_[static_cast<size_t>(next[static_cast<size_t>(n.cells[c].in[i])]++)] = {static_cast<int32_t>(c), i};
      }
    }
  }

  // What registers see of the pairs that follow.
  void watch(const Sampling& sampling) {
    sampling_ = &sampling;
    changed_.assign(static_cast<size_t>(n_.nets), 0);
  }

  // Row `pair` of the sampling.
  void sample(const std::vector<uint64_t>& settled, int lane, const uint8_t* after, const Counts& counts, int64_t pair_number) {
    const Sampling& s = *sampling_;
    for (int64_t i = 0; i < s.count; ++i) changed_[static_cast<size_t>(s.nets[i])] = 0;
    words_ = s.words + pair_number * s.instants;
    taken_ = 0;
    pair(settled, lane, after, counts);
    take_before(INT64_MAX);
    if (!s.latest) return;
    for (int64_t i = 0; i < s.count; ++i) s.latest[pair_number * s.count + i] = static_cast<int32_t>(changed_[static_cast<size_t>(s.nets[i])]);
  }

  // Returns the time of the last change in ticks.
  int64_t pair(const std::vector<uint64_t>& settled, int lane, const uint8_t* after, const Counts& counts) {
    for (int64_t net = 0; net < n_.nets; ++net) value_[static_cast<size_t>(net)] = settled[static_cast<size_t>(net)] >> lane & 1;
    int64_t now = now_ = 0, last = 0;
    for (int64_t i = 0; i < n_.inputs; ++i) {
      if (value_[static_cast<size_t>(2 + i)] != (after[i] & 1)) change(static_cast<int32_t>(2 + i), counts);
    }
    evaluate(now);
    while (waiting_ > 0) {
      now = now_ = next_time(now);
      if (sampling_) take_before(now);
      std::vector<int32_t>& bucket = wheel_[static_cast<size_t>(now & kMaxDelay)];
      waiting_ -= static_cast<int64_t>(bucket.size());
      for (const int32_t net : bucket) {
        if (pending_[static_cast<size_t>(net)] < 0 || due_[static_cast<size_t>(net)] != now) continue;
        pending_[static_cast<size_t>(net)] = -1;
        change(net, counts);
        last = now;
      }
      bucket.clear();
      used_[static_cast<size_t>((now & kMaxDelay) >> 6)] &= ~(uint64_t{1} << (now & 63));
      evaluate(now);
    }
    return last;
  }

 private:
  struct Reader {
    int32_t cell, input;
  };

  // Registers whose clock came before `now` hold what their nets are.
  void take_before(int64_t now) {
    for (; taken_ < sampling_->instants && sampling_->edges[taken_] < now; ++taken_) {
      uint64_t word = 0;
      for (int64_t i = 0; i < sampling_->count; ++i) word |= static_cast<uint64_t>(value_[static_cast<size_t>(sampling_->nets[i])]) << i;
      words_[taken_] = word;
    }
  }

  // The net takes its other value; its readers are to be evaluated.
  void change(int32_t net, const Counts& counts) {
    const size_t at = static_cast<size_t>(net);
    value_[at] ^= 1;
    if (sampling_) changed_[at] = now_;
    ++(value_[at] ? counts.rises : counts.falls)[net];
    for (int32_t r = readers_[at]; r < readers_[at + 1]; ++r) {
      const Reader& reader = fan_[static_cast<size_t>(r)];
      uint8_t& mask = mask_[static_cast<size_t>(reader.cell)];
      if (!mask) dirty_.push_back(reader.cell);
      mask = static_cast<uint8_t>(mask | 1 << reader.input);
    }
  }

  void evaluate(int64_t now) {
    for (const int32_t c : dirty_) {
      const Instance& cell = n_.cells[c];
      const Kind& kind = n_.kinds[cell.kind];
      int state = 0;
      for (int i = 0; i < kind.inputs; ++i) state |= value_[static_cast<size_t>(cell.in[i])] << i;
      const uint8_t mask = mask_[static_cast<size_t>(c)];
      mask_[static_cast<size_t>(c)] = 0;
      for (int32_t o = 0; o < kind.outputs; ++o) {
        const int wanted = kind.tables[o] >> state & 1;
        const size_t net = static_cast<size_t>(cell.first_out + o);
        if (pending_[net] == wanted) continue;
        pending_[net] = -1;
        if (value_[net] != wanted) schedule(c, o, wanted, mask, now);
      }
    }
    dirty_.clear();
  }

  void schedule(int32_t c, int32_t o, int wanted, uint8_t mask, int64_t now) {
    int32_t delay = kMaxDelay;
    for (int i = 0; i < kMaxInputs; ++i) {
      if (mask >> i & 1) delay = std::min(delay, delays_[((static_cast<int64_t>(c) * kMaxInputs + i) * 2 + o) * 2 + 1 - wanted]);
    }
    const int32_t net = n_.cells[c].first_out + o;
    const int64_t at = now + delay;
    pending_[static_cast<size_t>(net)] = static_cast<int8_t>(wanted);
    due_[static_cast<size_t>(net)] = at;
    wheel_[static_cast<size_t>(at & kMaxDelay)].push_back(net);
    used_[static_cast<size_t>((at & kMaxDelay) >> 6)] |= uint64_t{1} << (at & 63);
    ++waiting_;
  }

  // The next time of the wheel at which something waits; something does.
  int64_t next_time(int64_t now) const {
    int64_t t = now + 1;
    for (;;) {
      const uint64_t word = used_[static_cast<size_t>((t & kMaxDelay) >> 6)] >> (t & 63);
      if (word) return t + __builtin_ctzll(word);
      t = (t | 63) + 1;
    }
  }

  const Netlist& n_;
  const int32_t* delays_;
  std::vector<uint8_t> value_;
  std::vector<int8_t> pending_;
  std::vector<int64_t> due_;
  std::vector<uint8_t> mask_;
  std::vector<int32_t> readers_, dirty_;
  std::vector<Reader> fan_;
  std::array<std::vector<int32_t>, kMaxDelay + 1> wheel_;
  std::array<uint64_t, (kMaxDelay + 1) / 64> used_{};
  int64_t waiting_ = 0, now_ = 0;
  const Sampling* sampling_ = nullptr;
  std::vector<int64_t> changed_;
  uint64_t* words_ = nullptr;
  int64_t taken_ = 0;
};

}  // namespace

void settled(const Netlist& n, const uint8_t* before, const uint8_t* after, int64_t pairs, const Counts& counts) {
  std::vector<uint64_t> old(static_cast<size_t>(n.nets)), now(static_cast<size_t>(n.nets));
  for (int64_t first = 0; first < pairs; first += kBlock) {
    const int64_t lanes = std::min(kBlock, pairs - first);
    const uint64_t valid = first_lanes(lanes);
    load(n, before + first * n.inputs, lanes, old);
    load(n, after + first * n.inputs, lanes, now);
    run(n, old, valid, nullptr);
    run(n, now, valid, counts.states);
    for (int64_t net = 2; net < n.nets; ++net) {
      const uint64_t a = old[static_cast<size_t>(net)], b = now[static_cast<size_t>(net)];
      counts.rises[net] += __builtin_popcountll(~a & b & valid);
      counts.falls[net] += __builtin_popcountll(a & ~b & valid);
    }
  }
}

void outputs(const Netlist& n, const uint8_t* inputs, int64_t pairs, const int32_t* nets, int64_t count, uint8_t* out) {
  each_settled(n, inputs, 0, pairs, [&](const std::vector<uint64_t>& words, int lane, int64_t pair) {
    for (int64_t i = 0; i < count; ++i) out[pair * count + i] = static_cast<uint8_t>(words[static_cast<size_t>(nets[i])] >> lane & 1);
  });
}

void timed(const Netlist& n, const int32_t* delays, const uint8_t* before, const uint8_t* after, int64_t pairs, int threads, const Counts& counts,
           int64_t* last) {
  const int64_t tasks = tasks_of(pairs, threads);
  std::vector<std::vector<int64_t>> rises(static_cast<size_t>(tasks)), falls(static_cast<size_t>(tasks));
  std::vector<int64_t> latest(static_cast<size_t>(tasks));
  in_shares(pairs, tasks, threads, [&](size_t task, int64_t begin, int64_t end) {
    rises[task].assign(static_cast<size_t>(n.nets), 0);
    falls[task].assign(static_cast<size_t>(n.nets), 0);
    const Counts own{rises[task].data(), falls[task].data(), nullptr};
    Events events(n, delays);
    each_settled(n, before, begin, end, [&](const std::vector<uint64_t>& words, int lane, int64_t pair) {
      latest[task] = std::max(latest[task], events.pair(words, lane, after + pair * n.inputs, own));
    });
  });
  *last = *std::max_element(latest.begin(), latest.end());
  for (size_t task = 0; task < rises.size(); ++task) {
    for (int64_t net = 0; net < n.nets; ++net) {
      counts.rises[net] += rises[task][static_cast<size_t>(net)];
      counts.falls[net] += falls[task][static_cast<size_t>(net)];
    }
  }
}

void sampled(const Netlist& n, const int32_t* delays, const uint8_t* before, const uint8_t* after, int64_t pairs, int threads, const Sampling& sampling) {
  in_shares(pairs, tasks_of(pairs, threads), threads, [&](size_t, int64_t begin, int64_t end) {
    std::vector<int64_t> rises(static_cast<size_t>(n.nets)), falls(static_cast<size_t>(n.nets));
    const Counts own{rises.data(), falls.data(), nullptr};
    Events events(n, delays);
    events.watch(sampling);
    each_settled(n, before, begin, end, [&](const std::vector<uint64_t>& words, int lane, int64_t pair) {
      events.sample(words, lane, after + pair * n.inputs, own, pair);
    });
  });
}

}  // namespace inexact::silicon
