// A table as a product and an error: the sums of the first lie in memory when those of the second are added.
#include "lowrank/lowrank.hpp"

namespace inexact::lowrank {

void split_gemm(const uint8_t* a, const uint8_t* b, const Split& table, int64_t m, int64_t n, int64_t k, int threads, int32_t* sums,
                const Sink* then) {
  gemm(a, b, table.product, m, n, k, threads, path_in(table.isa), Int32Sink::of_rows(sums, n));
  table_gemm(a, b, table.error, m, n, k, threads, inexact::path_for(table.isa), Scheme::choose, AddSink::of_rows(sums, n, then));
}

void split_conv(const Source& a, const uint8_t* w, const Split& table, const Convolution& s, int threads, int32_t* sums, const Sink* then) {
  conv(a, w, table.product, s, threads, path_in(table.isa), Int32Sink::of_planes(sums, s.out_channels, s.pixels()));
  table_conv(a, w, table.error, s, threads, inexact::path_for(table.isa), Scheme::choose,
             AddSink::of_planes(sums, s.out_channels, s.pixels(), then));
}

}  // namespace inexact::lowrank
