// How many bytes of activations training needs: counted while real passes run (train/probe.h), not modelled, so that they
// are those of the layers, kernels and libraries as they are.  docs/cost-meter.md.
// Tests: property/memory_test.cpp, train/limits_test.cpp.
#pragma once
#include <string>

#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/observer.h"

namespace spiketrain {

/// Of a batch, at the worst moment of a pass, on noise that looks like `sample` and `target`, over a few samples and steps
/// and carried on in a straight line.  Products of spikes are all dense, which takes the most memory: the result does not
/// depend on how many spikes there are.  Errors as build_experiment; UsageError if it would take minutes or more memory
/// than there is.
int64_t measure_memory(const Recipe& recipe, const SampleSpec& sample, const TargetSpec& target,
                       torch::Device device = torch::kCPU);

/// The same network trained end to end: one segment, one block, rule bptt.
Recipe end_to_end(Recipe recipe);
/// In windows of one step.
Recipe step_by_step(Recipe recipe);

/// Keeps to `compute.memory_limit`: takes so many samples at a time that the activations of a pass fit, the most and in equal
/// shares, and says so in compute.samples; of given samples it only looks whether they fit.  UsageError, with what is needed, if they
/// do not, or one sample does not, or the network takes its batches whole.  Measured on one thread, so that the number does not depend
/// on threads; each further one may add a share of a layer's product.  Leaves no other trace.
void fit_memory(Experiment& e);

/// What a run will need beside the memory it has now, for people: activations of a batch, gradients, state of the
/// optimizer.  UsageError if that is more than this process can get (memory_left(); on the CPU only).  Leaves no trace.
std::string check_memory(const Recipe& recipe, const Training& training);

/// Writes cost.json when a run begins: operations per sample, and bytes of activations per sample measured on a batch
/// and, of training end to end, on noise, if that can be measured; "neurobench" (cost/neurobench.h), of the network as it is then.
/// When the run is complete it measures "neurobench" anew, with the weights that it ends with, on a few test samples.
class CostObserver : public Observer {
 public:
  explicit CostObserver(Recipe recipe) : recipe_(std::move(recipe)) {}
  void on_begin(const BeginReport& report) override;
  void on_end(const Progress& progress, bool complete) override;

 private:
  Recipe recipe_;
  RunDir* run_dir_ = nullptr;
  std::shared_ptr<const Learner> learner_;
  std::shared_ptr<const Dataset> test_;
  torch::Device device_ = torch::kCPU;
};

}  // namespace spiketrain
