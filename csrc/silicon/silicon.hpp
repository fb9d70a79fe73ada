// Mapped netlists: static timing over tables, activity of operand pairs (settled and timed), energy of what was counted.
// Units everywhere: ns, fF, fJ, nW. Raw pointers and sizes; numbers are checked by the binding before they come here.
#pragma once

#include <cstdint>

namespace inexact::silicon {

constexpr int kMaxInputs = 6;

// values[slew * loads + load]; axes rise. One point on an axis: the value does not depend on it.
struct Grid {
  int32_t slews, loads;
  const double *slew, *load, *values;
};

// Interpolates within the table and extends its last segments beyond it.
double look_up(const Grid& grid, double slew, double load);

// A kind of cell. tables[o]: output o for every state of the inputs, bit i = state i. Its arcs and powers lie in one list of each.
struct Kind {
  int32_t inputs, outputs;
  const uint64_t* tables;
  int32_t first_arc, arcs, first_power, powers;
};

// sense: 1 follows, -1 inverts, 0 either. Grids by edge of the output: rise, fall.
struct Arc {
  int32_t input, output, sense;
  int32_t delay[2], slew[2];
};

// Energy of an edge at `pin` (input, or inputs + output), caused by input `source` (-1: unknown), in the states `when`.
struct Power {
  int32_t pin, source;
  uint64_t when;
  int32_t energy[2];
};

// One cell: nets are numbers, 0 and 1 are constants, then the primary inputs, then outputs of cells; inputs of a cell come before it.
struct Instance {
  int32_t kind;
  int32_t in[kMaxInputs];
  int32_t first_out;  // its outputs are first_out, first_out + 1, …
};

struct Netlist {
  const Kind* kinds;
  const Arc* arcs;
  const Power* powers;
  const Grid* grids;
  const Instance* cells;
  int64_t count, nets, inputs;
  double voltage;
};

// Worst arrival and slew of every net for both edges, [nets * 2], from primary inputs at 0 with `input_slew`; loads: fF of every net for its rise and fall, [nets * 2].
// worst: the arc (its place in the kind's list * 2 + edge of its input) and cell of every net's latest edge, [nets * 4]: cell, arc per edge; or -1.
void timing(const Netlist& n, const double* loads, double input_slew, double* arrival, double* slew, int32_t* worst);

// Counts of one batch. rises, falls [nets]; states [count * 64]: how often each cell's inputs were in each state after an edge.
struct Counts {
  int64_t *rises, *falls, *states;
};

// Settled activity: before, after [pairs, words of input bits as 0/1 bytes] -> toggles of settled values.
void settled(const Netlist& n, const uint8_t* before, const uint8_t* after, int64_t pairs, const Counts& counts);

// Final values of every output net listed, for patterns of inputs: out [pairs, outputs].
void outputs(const Netlist& n, const uint8_t* inputs, int64_t pairs, const int32_t* nets, int64_t count, uint8_t* out);

// Timed activity: an event-driven simulation of every pair from the settled state of `before`, all inputs changing at time 0.
// delays [count * kMaxInputs * 2 * 2]: ticks (>= 1) from input i to output o for its rise and fall, at [((cell * kMaxInputs + i) * 2 + o) * 2 + edge].
// Inertial: a later evaluation cancels a pending change. last: largest settling time in ticks.
constexpr int32_t kMaxDelay = 4095;
void timed(const Netlist& n, const int32_t* delays, const uint8_t* before, const uint8_t* after, int64_t pairs, int threads, const Counts& counts,
           int64_t* last);

// What registers take when their clock comes before everything has settled, pair by pair as in `timed`.
// nets [count], at most 64: where they look. edges [instants], rising: ticks; a change at the edge itself is taken.
// words [pairs, instants]: bit i is net i as it stands then. latest [pairs, count]: ticks of its last change, 0 without one; or null.
struct Sampling {
  const int32_t* nets;
  int64_t count;
  const int64_t* edges;
  int64_t instants;
  uint64_t* words;
  int32_t* latest;
};
void sampled(const Netlist& n, const int32_t* delays, const uint8_t* before, const uint8_t* after, int64_t pairs, int threads, const Sampling& sampling);

// Products that registers of a weight-stationary array took too early. Everything is an index: nothing is multiplied here.
// a [images, groups, window, steps + 1]: activation patterns at every row of the array in the order of time, the first what was there before.
// rows [channels, window]: which table a weight uses. late [tables, codes * codes / 64]: whether the transition from one code to another is
// too slow. errors [tables, codes * codes]: then what is taken minus what is right. products [tables, codes]: what is right.
struct Stationary {
  const uint8_t* a;
  const int32_t* rows;
  const uint64_t* late;
  const int32_t *errors, *products;
  int64_t images, groups, window, steps, channels, codes, array_rows;
};
struct Tally {
  int64_t late, dropped;
};
// out [images, channels, steps]: the error of each sum. drop: a late product is corrected, and that of the next row of the array's column is
// left out, which then is not late itself; the last row has none after it.
Tally late_sums(const Stationary& s, bool drop, int threads, int64_t* out);

// Delays in ticks for `timed`, at the slews and loads of `timing`: means over arcs of the same pins and edge.
void event_delays(const Netlist& n, const double* loads, const double* slew, double tick, int32_t* delays);

// Energy in fJ of one rise and one fall of every net, its driver's tables and load: [nets * 2]; and of the hidden energy of every
// cell's inputs per rise and fall, [count * kMaxInputs * 2]. states: as counted, which weigh conditions.
void energies(const Netlist& n, const double* loads, const double* slew, const int64_t* states, double* nets, double* hidden);

}  // namespace inexact::silicon
