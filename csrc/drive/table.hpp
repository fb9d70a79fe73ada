// A table with what the instruction sets make of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "drive/spans.hpp"
#include "inexact.hpp"

namespace inexact {

// Things made once for each key. Threads that meet a new key at once each make theirs: no lock, which a forked process could inherit.
template <typename Key, typename T>
class Kept {
 public:
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    for (Node* node = newest_.load(); node;) delete std::exchange(node, node->older);
  }

  template <typename Make>
  const T& of(const Key& key, const Make& make) {
    for (const Node* node = newest_.load(std::memory_order_acquire); node; node = node->older) {
      if (node->key == key) return *node->thing;
    }
    Node* const node = new Node{key, make(), newest_.load()};
    while (!newest_.compare_exchange_weak(node->older, node)) {
    }
    return *node->thing;
  }

 private:
  struct Node {
    Key key;
    std::unique_ptr<T> thing;
    Node* older;
  };

  std::atomic<Node*> newest_{nullptr};
};

// Rows and stacks are made when first asked for and kept as long as the table. Any number of threads may use one table.
class Table {
 public:
  explicit Table(const Lut& lut);  // copies the products; rows or columns are contiguous
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  const Lut& lut() const { return lut_; }
  const Spans& spans() const { return spans_; }

  // A row for each activation code, or with `of_weights` for each weight code.
  const RowTable& rows(const Path& path, bool of_weights) const;
  const Stack& stack(const Path& path, bool of_weights, int64_t outputs) const;

 private:
  std::vector<int32_t> values_;
  Lut lut_;
  Spans spans_;
  mutable Kept<std::pair<const Path*, bool>, RowTable> rows_;
  mutable Kept<std::tuple<const Path*, bool, int64_t>, Stack> stacks_;
};

}  // namespace inexact
