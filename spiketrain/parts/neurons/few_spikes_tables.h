// The tables of few-spikes (FS) neurons: what a value costs and weighs in each of K phases.
//   v = x;  for i = 0 ... K-1:  z_i = 1 if v > T_i (or >=), else 0;  v -= z_i*h_i;   the value sent is sum_i d_i*z_i
//   relu      h = d = T = alpha*2^-(1+i): the value's K binary digits below alpha
//   sigmoid, swish   published coefficients, fitted by the authors over the range of inputs of an ANN
// Source: Stoeckl & Maass 2021, "Optimized spiking neurons can classify images with high accuracy through temporal coding with
// two spikes"; the numbers as in the authors' code (christophstoeckl/FS-neurons, 899af4e, fs_weights.py).
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

struct FewSpikesTables {
  std::vector<double> h, d, T;
  int64_t size() const { return static_cast<int64_t>(h.size()); }

  static FewSpikesTables relu(int64_t phases, double alpha) {
    std::vector<double> digits;
    for (int64_t i = 0; i < phases; ++i) digits.push_back(std::ldexp(alpha, -static_cast<int>(i) - 1));
    return {digits, digits, digits};
  }
  static FewSpikesTables sigmoid() {
    return {{1.6558512, 1.0989026, 10.7739, 1.3579437, 1.0146959, 0.8972655, 2.1207616, 1.6949341, 3.6397197,
             -2.1483946, 5.1177883, 0},
            {0.37689912, 0.21977554, 0.40271342, 0.17005783, 0.09584032, 0.06293014, 0.04360681, -0.0443096,
             0.01999909, 0.07107325, 0.01502249, 0.01021793},
            {-0.00824843, -0.9319625, 1.0080122, -1.2074932, -1.7885877, -2.7065408, -3.2715735, 0.07132628,
             -3.719372, -0.543918, -3.7693157, -5.5447803}};
  }
  static FewSpikesTables swish() {
    return {{0.7844085, 1.7550646, 1.4212719, 1.9244663, 1.4400164, 1.9249276, 1.6100428, 1.29061, 0.83985287,
             3.0827985, 0.43503317, 0.5155389, 0.3269445, 7.618048, -14.419675, 0},
            {0.40088242, 1.8856316, 1.4915457, 1.947229, 1.4717816, 1.9147849, 1.6389303, 1.2934641,
             0.8703124, 0.68460804, 0.44262582, 0.32832766, 0.13907616, -0.26217145, 0.23736191, -0.14830568},
            {0.05946945, 1.6541206, 1.3066754, 1.3267198, 1.1000695, 1.2308974, 1.1188028, 0.9472501,
             0.5447531, 1.0236325, 0.11921431, -0.12855051, -0.44731247, -2.1383545, 1.0, -4.109145}};
  }
};

/// The options that name a table, of every neuron that uses one.
struct FewSpikesOptions {
  std::string curve = "relu";
  int64_t phases = 0;
  double alpha = 0;

  template <class V>
  void visit(V& v) {
    v(curve, "curve", "the function whose table it is", Choices{{"relu", "sigmoid", "swish"}});
    v(phases, "phases", "K, steps of a period; 0: as published, relu 10, sigmoid 12, swish 16", Range{0, 24});
    v(alpha, "alpha", "relu: values are digits below it; 0: as published, 25", Range{0, 1e9});
  }
  /// Puts numbers where the published ones are meant.  UsageError if the curve has no such table.
  void check(const std::string& part) {
    if (curve == "relu") {
      if (phases == 0) phases = 10;
      if (alpha == 0) alpha = 25;
      return;
    }
    const int64_t published = curve == "sigmoid" ? 12 : 16;
    ST_CHECK(phases == 0 || phases == published, "neuron ", part, ": the table of curve = \"", curve,
             "\" has ", published, " phases, got phases = ", phases, "; leave phases out");
    ST_CHECK(alpha == 0, "neuron ", part, ": alpha belongs to curve = \"relu\", not to \"", curve, "\"");
    phases = published;
  }
  FewSpikesTables tables() const {
    return curve == "relu"      ? FewSpikesTables::relu(phases, alpha)
           : curve == "sigmoid" ? FewSpikesTables::sigmoid()
                                : FewSpikesTables::swish();
  }
};

}  // namespace spiketrain
