// A trained network on its way out: its model, what it is fed with, and how the exported programs do on data.
// Tests: deploy/run_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/deploy/c_export.h"
#include "spiketrain/deploy/model.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain::deploy {

struct Deployment {
  Model model;
  Input kind = Input::real;
  double input_range = 0;  ///< largest size of an input value among the samples looked at
};

/// Reads the network, and what the encoder sends of the first `samples` training samples.  UsageError if it cannot be exported, see
/// read_network().
Deployment read_training(const Training& training, int64_t samples = 1000);

/// UsageError if the objective decides by something other than a sum over steps or the greatest value.
Reading reading_of(const Training& training);

/// Evaluation of a program in the network's place, as evaluate() of train/evaluate.h.
template <class Math>
Evaluation evaluate_program(const Training& training, const Dataset& data, int64_t batch,
                            std::shared_ptr<const Program<Math>> program);

/// One layer of the library's network beside the same layer of a program, over some samples.
struct Agreement {
  std::string layer;
  int64_t spikes = 0;     ///< of the network
  int64_t different = 0;  ///< sites and steps at which one of the two fired alone
};

/// The library's network beside a program, over some samples.
struct Comparison {
  int64_t samples = 0;
  std::vector<Agreement> layers;  ///< those that send spikes
  int64_t decisions = 0;          ///< samples whose class is another; 0 where there are no classes
  double output = 0;              ///< largest difference of an output at a step
  double rounding = 0;            ///< the same over samples of which no spike differs
  double largest_output = 0;      ///< of the network, in size
};

/// The first `count` samples of a data set, as the encoder sends them.
template <class Math>
std::vector<Recorded<Math>> read_samples(const Training& training, const Dataset& data,
                                         const Program<Math>& program, int64_t count);

/// Runs the library's network, in float32 whatever its precision, and the program on the first `count` samples.
template <class Math>
Comparison compare(const Training& training, const Dataset& data, const Program<Math>& program,
                   int64_t count);

}  // namespace spiketrain::deploy
