// Machine = runs a Program step by step in plain loops: what the exported C file computes, number for number.
// Order of sums: each sum begins at zero and takes the columns of its active inputs in order: the network's inputs in C, H, W order, spikes in
// H, W, C order.  Float: multiplications and additions are rounded one by one.
// Without LibTorch.  Tests: deploy/program_test.cpp, deploy/c_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "spiketrain/deploy/program.h"

namespace spiketrain::deploy {

template <class Math>
class Machine {
 public:
  using Value = typename Math::Value;

  /// What a step leaves for those who look on.
  struct Trace {
    std::vector<std::vector<int32_t>> spikes;  ///< [layer] sites that fired, in H, W, C order, ascending
    std::vector<int64_t> additions;            ///< [layer] weights that were added
  };

  /// The program must outlive the machine.
  explicit Machine(const Program<Math>& program);

  /// Numbers that go from step to step.
  size_t state_size() const { return state_size_; }
  /// Writes the state before the first step.
  void start(Value* state) const;
  /// One step: x [inputs] in C, H, W order, y [outputs] in H, W, C order.  Inputs of Fixed are integers at the program's scale; those
  /// beyond input_max are cut.  x null: the input of the step before, which this machine has seen last.
  void step(const Value* x, Value* state, Value* y, Trace& trace);
  int64_t inputs() const { return program_.input.size(); }
  int64_t outputs() const { return program_.layers.back().out.size(); }

 private:
  /// Places of a layer's arrays in the state.
  struct Places {
    size_t carried = 0, current = 0, fired = 0, output = 0;
  };
  void fire(size_t k, Value* state, Value* y, Trace& trace) const;
  int64_t run_product(const ProgramProduct<Math>& product, const std::vector<int32_t>& sites,
                      Value* sum) const;
  int64_t run_input(const ProgramProduct<Math>& product, const Value* x, Value* sum) const;

  const Program<Math>& program_;
  std::vector<Places> places_;
  size_t state_size_ = 0;
  std::vector<Value> held_;      ///< sums of the product with the input
  std::vector<Value> sums_[2];   ///< of the present layer
  std::vector<int32_t> before_;  ///< spikes of the present layer one step before
  int64_t held_additions_ = 0;
};

/// Of Fixed: real inputs to the program's scale, halves away from zero, cut at input_max.
void scale_inputs(const FixedProgram& program, const float* x, int64_t n, int32_t* to);
/// Nothing is done.
void scale_inputs(const FloatProgram& program, const float* x, int64_t n, float* to);

}  // namespace spiketrain::deploy
