#include "spiketrain/nir/time_step.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "spiketrain/base/check.h"

namespace spiketrain::nir {
namespace {

constexpr double kDefault = 1e-4;
constexpr double kRounding = 1 + 1e-6;  ///< what float32 may have put on a ratio

/// The power of ten that `x` is, within what float32 leaves of it; 0: none.
double power_of_ten(double x) {
  if (!(x > 0) || !std::isfinite(x)) return 0;
  const int exponent = static_cast<int>(std::lround(std::log10(x)));
  const double power = std::stod(str("1e", exponent));
  return std::fabs(x - power) <= 1e-5 * power ? power : 0;
}

struct Hint {
  double dt;  ///< 0: no power of ten
  std::string reason;
};

double value(const NirArray& array, size_t i) { return array.values[array.values.size() == 1 ? 0 : i]; }

/// What `gain` = tau/dt suggests; false if it is 1 everywhere, or not one and the same step.
void add_ratio(const FlatNode& node, const char* gain, const char* tau, std::vector<Hint>& hints) {
  const auto& fields = node.node->fields.arrays;
  const auto g = fields.find(gain), t = fields.find(tau);
  if (g == fields.end() || t == fields.end()) return;
  const size_t n = std::max(g->second.values.size(), t->second.values.size());
  for (size_t i = 0; i < n; ++i) {
    const double x = value(g->second, i);
    if (x == 1) continue;
    hints.push_back(
        {power_of_ten(value(t->second, i) / x), str(gain, " = ", tau, "/dt in node '", node.name, "'")});
  }
}

/// The shortest time constant; infinity: there is none.
double shortest(const Flat& flat) {
  double least = std::numeric_limits<double>::infinity();
  for (const FlatNode& node : flat.nodes) {
    for (const char* field : {"tau", "tau_syn", "tau_mem"}) {
      const auto it = node.node->fields.arrays.find(field);
      if (it == node.node->fields.arrays.end()) continue;
      for (const double tau : it->second.values) least = std::min(least, tau);
    }
  }
  return least;
}

/// 0: the metadata say none.
double noted_step(const NirValues& metadata) {
  double dt = 0;
  std::string written;
  if (const auto text = metadata.texts.find("dt"); text != metadata.texts.end()) {
    written = text->second;
    char* end = nullptr;
    dt = std::strtod(written.c_str(), &end);
    if (end == written.c_str() || *end != '\0') dt = -1;
  } else if (const auto number = metadata.arrays.find("dt"); number != metadata.arrays.end()) {
    dt = number->second.values.size() == 1 ? number->second.values[0] : -1;
    written = number->second.values.size() == 1 ? str(dt) : str(number->second.values.size(), " numbers");
  } else {
    return 0;
  }
  ST_CHECK(std::isfinite(dt) && dt > 0, "metadata of the graph: dt: expected seconds above 0, got '", written,
           "'; give dt to overrule it");
  return dt;
}

std::vector<Hint> hints_of(const Flat& flat) {
  std::vector<Hint> hints;
  for (const FlatNode& node : flat.nodes) {
    const std::string& type = node.node->type;
    if (type == "LIF" || type == "LI") add_ratio(node, "r", "tau", hints);
    if (type == "CubaLIF" || type == "CubaLI") {
      add_ratio(node, "r", "tau_mem", hints);
      add_ratio(node, "w_in", "tau_syn", hints);
    }
    if (type != "IF") continue;
    for (const double r : node.node->fields.arrays.at("r").values)
      hints.push_back(
          {power_of_ten(1 / r), str(r == 1 ? "r = 1" : "r = 1/dt", " in the IF node '", node.name, "'")});
  }
  return hints;
}

}  // namespace

TimeStep time_step(const NirGraph& graph, const Flat& flat, double given) {
  ST_CHECK(std::isfinite(given) && given >= 0, "dt: expected seconds above 0, got ", given);
  if (given > 0) return {given, "as given"};
  if (const double noted = noted_step(graph.metadata); noted > 0)
    return {noted, "from the metadata of the graph"};
  std::vector<Hint> hints = hints_of(flat);
  if (hints.empty()) return {kDefault, "the default: the file says nothing of it"};
  const double least = shortest(flat);
  const auto fits = [&](const Hint& h) { return h.dt > 0 && h.dt <= least * kRounding; };
  const bool agree =
      std::all_of(hints.begin(), hints.end(), [&](const Hint& h) { return h.dt == hints[0].dt; });
  if (agree && fits(hints[0])) return {hints[0].dt, "from " + hints[0].reason};
  return {kDefault, agree && hints[0].dt > 0
                        ? str("the default: ", hints[0].reason, " would be a step of ", hints[0].dt,
                              " s, longer than a time constant of ", least, " s")
                        : "the default: the numbers in the file suggest no one step"};
}

std::vector<std::string> check_time_step(const Flat& flat, const TimeStep& step) {
  std::vector<std::string> notes;
  const double dt = step.dt;
  for (size_t i = 0; i < flat.nodes.size(); ++i) {
    for (const char* field : {"tau", "tau_syn", "tau_mem"}) {
      const auto& fields = flat.nodes[i].node->fields.arrays;
      const auto it = fields.find(field);
      if (it == fields.end() || it->second.values.empty()) continue;
      const double least = *std::min_element(it->second.values.begin(), it->second.values.end());
      ST_CHECK(dt <= 2 * least, flat.text(i), ": ", field, " is ", least, " s, but the step is ", dt, " s (",
               step.reason, "): forward Euler diverges if dt > 2 tau; give a smaller dt");
      if (dt > least * kRounding)
        notes.push_back(str(flat.text(i), ": ", field, " is ", least, " s, less than a step of ", dt,
                            " s: its decay factor is negative"));
    }
  }
  return notes;
}

}  // namespace spiketrain::nir
