#include "spiketrain/deploy/program_network.h"

#include <cmath>
#include <mutex>

#include "spiketrain/deploy/machine.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain::deploy {
namespace {

/// One sample of a segment.
struct Sample {
  const Tensor &x, &valid, &state;
  Tensor& y;
  int64_t T, B, b;
  bool still;
};

template <class Math>
class ProgramStage final : public Stage {
 public:
  using Value = typename Math::Value;
  ProgramStage(std::shared_ptr<const Program<Math>> program, Shape output)
      : program_(std::move(program)), output_(std::move(output)) {}

  Shape build(const std::vector<Shape>& in) override {
    ST_CHECK(in.size() == 1 && numel(in[0]) == program_->input.size(), "program: expected one input of ",
             program_->input.size(), " values");
    ST_CHECK(numel(output_) == program_->layers.back().out.size(), "program: expected an output of ",
             program_->layers.back().out.size(), " values, got the shape ", at::IntArrayRef(output_));
    return output_;
  }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& carry) override {
    ST_CHECK(!context.training(), "program: an exported network does not learn; evaluate it");
    const torch::NoGradGuard no_grad;
    const Signal& x = in[0];
    const bool still = x.is_constant() && torch::equal(x.gain(), torch::ones_like(x.gain()));
    const Tensor values = (still ? x.image() : x.values()).to(torch::kCPU, torch::kFloat).contiguous();
    const int64_t T = x.steps(), B = x.batch(), n = program_->layers.back().out.size();
    State& state = carry.state.at(static_cast<size_t>(slot_));
    if (state.empty()) state = initial(B);
    Tensor y = torch::empty({T, B, n}, torch::kFloat);
    const Tensor valid = context.valid.defined() ? context.valid.cpu().contiguous() : Tensor();
    std::vector<Tally::Count> counts(program_->layers.size());
    std::mutex lock;
    ops::for_chunks(B, [&](int64_t begin, int64_t end) {
      Machine<Math> machine(*program_);
      std::vector<Tally::Count> own(counts.size());
      for (int64_t b = begin; b < end; ++b) run(machine, {values, valid, state[0], y, T, B, b, still}, own);
      const std::lock_guard<std::mutex> guard(lock);
      for (size_t k = 0; k < own.size(); ++k) {
        counts[k].spikes += own[k].spikes;
        counts[k].sites += own[k].sites;
      }
    });
    for (size_t k = 0; context.tally && k < counts.size(); ++k) {
      if (counts[k].sites > 0)
        context.tally->add(slot_ + static_cast<int64_t>(k), counts[k].spikes, counts[k].sites);
    }
    return Signal::dense(in_order(y));
  }

  std::string notation() const override { return program_->notation; }
  void assign_slots(int64_t& next) override {
    slot_ = next;
    next += static_cast<int64_t>(program_->layers.size());
  }
  std::vector<StageInfo> describe() const override {
    std::vector<StageInfo> rows;
    for (size_t k = 0; k < program_->layers.size(); ++k) {
      const ProgramLayer<Math>& layer = program_->layers[k];
      StageInfo row;
      row.spec = layer.notation;
      row.kind = "exported layer";
      row.out = {layer.out.channels, layer.out.height, layer.out.width};
      row.slot = layer.spiking ? slot_ + static_cast<int64_t>(k) : -1;
      row.neurons = layer.out.size();
      rows.push_back(row);
    }
    return rows;
  }

 private:
  State initial(int64_t B) const {
    const Machine<Math> machine(*program_);
    const auto type = Math::kFixed ? torch::kInt : torch::kFloat;
    const Tensor state = torch::empty({B, static_cast<int64_t>(machine.state_size())}, type);
    for (int64_t b = 0; b < B; ++b) machine.start(state[b].data_ptr<Value>());
    return {state};
  }

  void run(Machine<Math>& machine, const Sample& s, std::vector<Tally::Count>& counts) const {
    const int64_t inputs = machine.inputs(), outputs = machine.outputs();
    std::vector<Value> x(static_cast<size_t>(inputs)), y(static_cast<size_t>(outputs));
    typename Machine<Math>::Trace trace;
    const float scale = std::ldexp(1.0F, -program_->output_exponent);
    Value* state = s.state.data_ptr<Value>() + s.b * s.state.size(1);
    for (int64_t t = 0; t < s.T; ++t) {
      const bool held = s.still && t > 0;
      const float* from = s.x.data_ptr<float>() + ((s.still ? 0 : t) * s.B + s.b) * inputs;
      if (!held) scale_inputs(*program_, from, inputs, x.data());
      machine.step(held ? nullptr : x.data(), state, y.data(), trace);
      float* to = s.y.data_ptr<float>() + (t * s.B + s.b) * outputs;
      for (int64_t i = 0; i < outputs; ++i) to[i] = static_cast<float>(y[static_cast<size_t>(i)]) * scale;
      if (s.valid.defined() && !s.valid.data_ptr<bool>()[t * s.B + s.b]) continue;
      for (size_t k = 0; k < counts.size(); ++k) {
        if (!program_->layers[k].spiking) continue;
        counts[k].spikes += static_cast<int64_t>(trace.spikes[k].size());
        counts[k].sites += program_->layers[k].out.size();
      }
    }
  }

  /// [T,B,n] in H, W, C order -> [T,B,*output]
  Tensor in_order(const Tensor& y) const {
    if (output_.size() != 3) return y;
    return y.view({y.size(0), y.size(1), output_[1], output_[2], output_[0]})
        .permute({0, 1, 4, 2, 3})
        .contiguous();
  }

  std::shared_ptr<const Program<Math>> program_;
  Shape output_;
};

}  // namespace

template <class Math>
std::shared_ptr<Network> program_network(std::shared_ptr<const Program<Math>> program, const Shape& input,
                                         const Shape& output) {
  auto network = std::make_shared<Network>(input);
  network->add(std::make_shared<ProgramStage<Math>>(std::move(program), output), {{Network::kInput}}, true);
  return network;
}
template std::shared_ptr<Network> program_network(std::shared_ptr<const FloatProgram>, const Shape&,
                                                  const Shape&);
template std::shared_ptr<Network> program_network(std::shared_ptr<const FixedProgram>, const Shape&,
                                                  const Shape&);

}  // namespace spiketrain::deploy
