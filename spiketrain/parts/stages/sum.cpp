// y = sum of the inputs, e.g. the shortcut of a SEW-ResNet; of one input that input, for a network that ends in a layer others read, too.  Bare spikes add up to counts, which stay small whole
// numbers; everything else adds up to real numbers.  The gradient goes to each input as it is.
// Source: Fang et al. 2021, "Deep residual learning in spiking neural networks", connection ADD.
// Deviation: none.  Tests: unit/stage_test.cpp, grad/network_residual_test.cpp, engine/joined_tape_test.cpp.
#include "spiketrain/core/rule.h"
#include "spiketrain/core/stage.h"
#include "spiketrain/core/tape.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Carriers -> the carrier of the sum.
struct AddCarriers : torch::autograd::Function<AddCarriers> {
  static Tensor forward(AutogradContext* ctx, at::TensorList edges) {
    ctx->saved_data["inputs"] = static_cast<int64_t>(edges.size());
    return carrier(edges[0].sizes(), edges[0].options().requires_grad(false));
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    return variable_list(static_cast<size_t>(ctx->saved_data["inputs"].toInt()), g[0]);
  }
};

struct Sum final : Stage {
  static constexpr const char* kDoc = "sum of signals";
  template <class V>
  void visit(V&) {}

  Shape build(const std::vector<Shape>& in) override {
    ST_CHECK(!in.empty(), "sum: expected one or more inputs, got none");
    for (const Shape& other : in) {
      ST_CHECK(other == in[0], "sum: expected inputs of one shape, got ", at::IntArrayRef(in[0]), " and ",
               at::IntArrayRef(other));
    }
    inputs_ = static_cast<int64_t>(in.size());
    return out_ = in[0];
  }

  bool taped() const override { return true; }
  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& /*carry*/) override {
    if (context.tape) note_way_back(in, *context.tape);
    if (in.size() == 1) return in[0];
    int64_t levels = 0;
    for (const Signal& x : in)
      levels += x.is_spikes() && x.scale() == 1 ? x.spikes().levels() : kMaxLevels + 1;
    if (levels <= kMaxLevels) return add_spikes(in, levels);
    Tensor y = in[0].values();
    for (size_t k = 1; k < in.size(); ++k) y = y + in[k].values();
    return Signal::dense(y);
  }

  /// None: a sum carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "sum";
    row.kind = "sum";
    row.out = out_;
    row.ops = numel(out_) * (inputs_ - 1);
    return {row};
  }

 private:
  static constexpr int64_t kMaxLevels = 255;

  static void note_way_back(const std::vector<Signal>& in, Tape& tape) {
    std::vector<Tensor> gains;  // of constant signals, which the sum writes out
    bool asked = false;
    for (size_t k = 0; k < in.size(); ++k) {
      gains.push_back(in.size() > 1 ? in[k].gain() : Tensor());
      asked = asked || tape.asks(k);
    }
    if (!asked) return;
    tape.add([gains](EdgeError delta) {
      std::vector<EdgeError> below(gains.size());
      if (gains.size() == 1) {
        below[0] = std::move(delta);
        return below;
      }
      const Tensor g = delta.take();
      for (size_t k = 0; k < gains.size(); ++k) below[k] = gains[k].defined() ? gather(g, gains[k]) : g;
      return below;
    });
  }

  static Signal add_spikes(const std::vector<Signal>& in, int64_t levels) {
    std::vector<Tensor> edges = {in[0].edge()};
    Tensor s = in[0].spikes().bytes();
    for (size_t k = 1; k < in.size(); ++k) {
      s = s + in[k].spikes().bytes();
      edges.push_back(in[k].edge());
    }
    return Signal::spikes(Spikes::from_bytes(s, -1, levels), AddCarriers::apply(at::TensorList(edges)));
  }

  Shape out_;
  int64_t inputs_ = 0;
};
ST_REGISTER(Stage, "sum", Sum);

}  // namespace
}  // namespace spiketrain
