// Neuron configurations and tapes that several kinds of test share.
#pragma once
#include <memory>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

inline std::shared_ptr<Neuron> make_neuron(const Config& config) {
  return Registry<Neuron>::get().make(config);
}

/// A recording tape over steps [t0, t1) of I [T,B,*].
inline c10::intrusive_ptr<Tape> make_tape(const Tensor& I, const State& in, int64_t t0, int64_t t1,
                                          uint32_t needs = 0) {
  auto tape = c10::make_intrusive<Tape>();
  tape->I = I.slice(0, t0, t1);
  tape->in = in;
  tape->record = true;
  tape->needs = needs;
  return tape;
}

/// Every registered neuron at its defaults.
inline std::vector<Config> default_neurons() {
  std::vector<Config> configs;
  for (const auto* entry : Registry<Neuron>::get().entries()) configs.push_back({{"name", entry->name}});
  return configs;
}

/// lif in every combination of reset, detach_reset, reset_delay and raise_after_overshoot.
inline std::vector<Config> lif_resets() {
  std::vector<Config> configs;
  for (const char* reset : {"soft_decayed", "soft", "hard", "none"}) {
    for (int bits = 0; bits < 8; ++bits) {
      const bool detach = bits & 1, delay = bits & 2, raise = bits & 4;
      if (raise && (delay || std::string(reset) != "soft_decayed")) continue;
      Config config = {{"name", "lif"},        {"reset", reset},   {"detach_reset", detach},
                       {"reset_delay", delay}, {"strict", detach}, {"raise_after_overshoot", raise}};
      if (std::string(reset) == "hard") config["v_reset"] = -0.25;
      configs.push_back(config);
    }
  }
  return configs;
}

}  // namespace spiketrain
