// Static timing and energies over tables.
#include <algorithm>
#include <cmath>
#include <vector>

#include "silicon/silicon.hpp"

namespace inexact::silicon {
namespace {

// Place of the segment to interpolate in; the first or last one beyond the ends.
int32_t segment(const double* axis, int32_t count, double x) {
  int32_t i = 0;
  while (i < count - 2 && x > axis[i + 1]) ++i;
  return i;
}

double along(const double* axis, int32_t i, double x, double low, double high) {
  return low + (high - low) * (x - axis[i]) / (axis[i + 1] - axis[i]);
}

// Slew of the edges of input `net` that can cause edge `out` of an arc of this sense.
double causing_slew(const double* slew, int32_t net, int32_t sense, int out) {
  if (sense == 0) return (slew[net * 2] + slew[net * 2 + 1]) / 2;
  return slew[net * 2 + (sense > 0 ? out : 1 - out)];
}

}  // namespace

double look_up(const Grid& g, double slew, double load) {
  const auto row = [&](int32_t s) {
    const double* values = g.values + s * g.loads;
    if (g.loads == 1) return values[0];
    const int32_t i = segment(g.load, g.loads, load);
    return along(g.load, i, load, values[i], values[i + 1]);
  };
  if (g.slews == 1) return row(0);
  const int32_t i = segment(g.slew, g.slews, slew);
  return along(g.slew, i, slew, row(i), row(i + 1));
}

void timing(const Netlist& n, const double* loads, double input_slew, double* arrival, double* slew, int32_t* worst) {
  for (int64_t net = 0; net < n.nets; ++net) {
    const bool given = net < 2 + n.inputs;
    for (int edge = 0; edge < 2; ++edge) {
      arrival[net * 2 + edge] = given && net >= 2 ? 0.0 : -INFINITY;
      slew[net * 2 + edge] = given ? input_slew : 0.0;
      worst[net * 4 + edge * 2] = worst[net * 4 + edge * 2 + 1] = -1;
    }
  }
  for (int64_t c = 0; c < n.count; ++c) {
    const Instance& cell = n.cells[c];
    const Kind& kind = n.kinds[cell.kind];
    for (int32_t a = 0; a < kind.arcs; ++a) {
      const Arc& arc = n.arcs[kind.first_arc + a];
      const int32_t from = cell.in[arc.input], to = cell.first_out + arc.output;
      for (int in = 0; in < 2; ++in) {
        const double start = arrival[from * 2 + in];
        if (start == -INFINITY) continue;
        for (int out = 0; out < 2; ++out) {
          if ((arc.sense > 0 && in != out) || (arc.sense < 0 && in == out)) continue;
          const double at = start + std::max(0.0, look_up(n.grids[arc.delay[out]], slew[from * 2 + in], loads[to * 2 + out]));
          const double edge = std::max(0.0, look_up(n.grids[arc.slew[out]], slew[from * 2 + in], loads[to * 2 + out]));
          slew[to * 2 + out] = std::max(slew[to * 2 + out], edge);
          if (at <= arrival[to * 2 + out]) continue;
          arrival[to * 2 + out] = at;
          worst[to * 4 + out * 2] = static_cast<int32_t>(c);
          worst[to * 4 + out * 2 + 1] = a * 2 + in;
        }
      }
    }
  }
}

void event_delays(const Netlist& n, const double* loads, const double* slew, double tick, int32_t* delays) {
  for (int64_t c = 0; c < n.count; ++c) {
    const Instance& cell = n.cells[c];
    const Kind& kind = n.kinds[cell.kind];
    double sum[kMaxInputs][2][2] = {}, largest = 0.0;
    int found[kMaxInputs][2][2] = {};
    for (int32_t a = 0; a < kind.arcs; ++a) {
      const Arc& arc = n.arcs[kind.first_arc + a];
      for (int out = 0; out < 2; ++out) {
        const double from = causing_slew(slew, cell.in[arc.input], arc.sense, out);
        const double delay = std::max(0.0, look_up(n.grids[arc.delay[out]], from, loads[(cell.first_out + arc.output) * 2 + out]));
        sum[arc.input][arc.output][out] += delay;
        ++found[arc.input][arc.output][out];
        largest = std::max(largest, delay);
      }
    }
    for (int i = 0; i < kMaxInputs; ++i) {
      for (int o = 0; o < 2; ++o) {
        for (int edge = 0; edge < 2; ++edge) {
          const int arcs = found[i][o][edge];
          const double ticks = std::round((arcs ? sum[i][o][edge] / arcs : largest) / tick);
          delays[((c * kMaxInputs + i) * 2 + o) * 2 + edge] = static_cast<int32_t>(std::clamp(ticks, 1.0, static_cast<double>(kMaxDelay)));
        }
      }
    }
  }
}

void energies(const Netlist& n, const double* loads, const double* slew, const int64_t* states, double* nets, double* hidden) {
  for (int64_t i = 0; i < n.nets * 2; ++i) nets[i] = 0.5 * loads[i] * n.voltage * n.voltage;
  std::fill(hidden, hidden + n.count * kMaxInputs * 2, 0.0);
  for (int64_t c = 0; c < n.count; ++c) {
    const Instance& cell = n.cells[c];
    const Kind& kind = n.kinds[cell.kind];
    const int64_t* seen = states + c * 64;
    int64_t all = 0;
    for (int s = 0; s < 1 << kind.inputs; ++s) all += seen[s];
    const auto share = [&](uint64_t when) {
      int64_t part = 0;
      for (int s = 0; s < 1 << kind.inputs; ++s) part += when >> s & 1 ? seen[s] : 0;
      return all ? static_cast<double>(part) / static_cast<double>(all) : 0.0;
    };
    const auto sense_of = [&](int32_t input, int32_t output) {
      int32_t sense = 0;
      for (int32_t a = 0; a < kind.arcs; ++a) {
        const Arc& arc = n.arcs[kind.first_arc + a];
        if (arc.input == input && arc.output == output) sense = arc.sense;
      }
      return sense;
    };
    // an output's energy: over sources alike, over conditions of one source by how often they hold
    for (int32_t o = 0; o < kind.outputs; ++o) {
      const int32_t net = cell.first_out + o;
      double sum[2] = {};
      int sources = 0;
      for (int32_t source = -1; source < kind.inputs; ++source) {
        double part[2] = {}, plain[2] = {}, weight = 0.0;
        int records = 0;
        for (int32_t p = 0; p < kind.powers; ++p) {
          const Power& power = n.powers[kind.first_power + p];
          if (power.pin != kind.inputs + o || power.source != source) continue;
          const double w = power.when ? share(power.when) : 1.0;
          for (int edge = 0; edge < 2; ++edge) {
            const double from = source < 0 ? (slew[net * 2] + slew[net * 2 + 1]) / 2
                                           : causing_slew(slew, cell.in[source], sense_of(source, o), edge);
            const double energy = look_up(n.grids[power.energy[edge]], from, loads[net * 2 + edge]);
            part[edge] += w * energy;
            plain[edge] += energy;
          }
          weight += w;
          ++records;
        }
        if (!records) continue;
        for (int edge = 0; edge < 2; ++edge) sum[edge] += weight > 0.0 ? part[edge] / weight : plain[edge] / records;
        ++sources;
      }
      for (int edge = 0; edge < 2; ++edge) nets[net * 2 + edge] += sources ? sum[edge] / sources : 0.0;
    }
    for (int32_t p = 0; p < kind.powers; ++p) {
      const Power& power = n.powers[kind.first_power + p];
      if (power.pin >= kind.inputs) continue;
      const int32_t net = cell.in[power.pin];
      for (int edge = 0; edge < 2; ++edge) {
        const double energy = look_up(n.grids[power.energy[edge]], slew[net * 2 + edge], 0.0);
        hidden[(c * kMaxInputs + power.pin) * 2 + edge] += (power.when ? share(power.when) : 1.0) * energy;
      }
    }
  }
}

}  // namespace inexact::silicon
