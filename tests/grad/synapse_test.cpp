// apply, pull and outer of every synapse against autograd of its definition, in float64; and the same through
// a layer, for a dense and for a stationary input.
#include <gtest/gtest.h>

#include <set>

#include "spiketrain/core/layer.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain {
namespace {

constexpr double kTolerance = 1e-12;
const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

struct Case {
  Config config;
  Shape in;
  std::function<Tensor(const Tensor& x, const Tensor& W)> define;  ///< [T,B,*in] -> [T,B,*out]
};

/// I[o,y,x] = sum_{c,i,j} W[o,c,i,j] a[c, y*stride + i, x*stride + j], a with zeros around it.
Tensor convolve(const Tensor& x, const Tensor& W, int64_t stride, int64_t padding) {
  const Tensor a = torch::constant_pad_nd(x, {padding, padding, padding, padding});
  const int64_t k = W.size(2), height = (a.size(3) - k) / stride + 1, width = (a.size(4) - k) / stride + 1;
  Tensor I = torch::zeros({}, kDouble);
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < k; ++j) {
      const Tensor seen = a.slice(3, i, i + (height - 1) * stride + 1, stride)
                              .slice(4, j, j + (width - 1) * stride + 1, stride);
      I = I + torch::einsum("tbcyx,oc->tboyx", {seen, W.select(3, j).select(2, i)});
    }
  }
  return I;
}

Tensor multiply(const Tensor& x, const Tensor& W) { return torch::einsum("tbi,oi->tbo", {x.flatten(2), W}); }

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t padding : {0, 1, 2}) {  // 8 x 7 maps: hardly a stride divides both sides
        list.push_back({{{"name", "conv2d"},
                         {"channels", 4},
                         {"kernel", kernel},
                         {"stride", stride},
                         {"padding", padding},
                         {"bias", padding == 1}},
                        {3, 8, 7},
                        [=](const Tensor& x, const Tensor& W) { return convolve(x, W, stride, padding); }});
      }
    }
  }
  // Enough features or inputs that a product is cut by columns, and few.
  for (const int64_t features : {1, 5, 130}) {
    list.push_back({{{"name", "linear"}, {"features", features}, {"bias", features == 5}}, {7}, multiply});
    list.push_back({{{"name", "linear"}, {"features", features}, {"bias", true}}, {2, 9, 7}, multiply});
  }
  for (const char* weights : {"trained", "uniform", "sign", "square_wave"}) {
    for (const char* feedback : {"transpose", "random"}) {
      list.push_back(
          {{{"name", "head_linear"}, {"features", 5}, {"weights", weights}, {"feedback", feedback}},
           {2, 3, 4},
           multiply});
    }
  }
  return list;
}

Tensor random(int64_t T, int64_t B, const Shape& shape) {
  std::vector<int64_t> sizes = {T, B};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return torch::randn(sizes, kDouble);
}

Shape sample_shape(const Tensor& x) { return {x.sizes().begin() + 2, x.sizes().end()}; }

/// Draws the weights; biases, which begin at zero, too.
void prepare(Synapse& synapse) {
  torch::NoGradGuard no_grad;
  synapse.initialise(3, 1);
  synapse.to(torch::kDouble);
  for (const auto& item : synapse.named_parameters()) {
    if (item.key() == "bias") item.value().copy_(torch::randn(item.value().sizes(), kDouble));
  }
}

/// The matrix through which error returns.
Tensor feedback_of(Synapse& synapse) {
  const auto buffers = synapse.named_buffers();
  return (buffers.contains("feedback") ? buffers["feedback"] : synapse.weight()).detach();
}

Tensor bias_of(const Synapse& synapse) {
  const auto parameters = synapse.named_parameters();
  return parameters.contains("bias") ? parameters["bias"] : Tensor();
}

struct Gradients {
  Tensor x, W;
};

/// Autograd of sum(g * define(x, W)).
Gradients reference(const Case& c, const Signal& x, const Tensor& W, const Tensor& g) {
  const Tensor a = x.a.detach().clone().requires_grad_(), w = W.detach().clone().requires_grad_();
  const auto grads = torch::autograd::grad({c.define(Signal{a, x.gain, {}}.dense(), w)}, {a, w}, {g});
  return {grads[0], grads[1]};
}

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  ASSERT_EQ(got.scalar_type(), torch::kDouble) << what;
  EXPECT_LE((got - want).norm().item<double>(), kTolerance * want.norm().item<double>()) << what;
}

TEST(SynapseGrad, EveryRegisteredSynapseHasACase) {
  std::set<std::string> covered;
  for (const Case& c : cases()) covered.insert(c.config["name"]);
  for (const auto* entry : Registry<Synapse>::get().entries())
    EXPECT_TRUE(covered.count(entry->name)) << entry->name;
}

TEST(SynapseGrad, EqualsAutogradOfTheDefinition) {
  torch::manual_seed(11);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const auto synapse = Registry<Synapse>::get().make(c.config);
    const Shape out = synapse->build(c.in);
    prepare(*synapse);
    const Tensor W = synapse->weight().detach();
    // One sample; fewer rows than columns or a ragged last chunk; enough rows to be cut by rows.
    for (const auto& [T, B] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {20, 6}}) {
      const Signal x = {random(T, B, c.in), {}, {}}, q = {random(T, B, c.in), {}, {}};
      const Tensor g = random(T, B, out), I = synapse->apply(x, W);
      expect_near(I, c.define(x.a, W), "apply");
      expect_near(synapse->pull(g, W), reference(c, x, feedback_of(*synapse), g).x, "pull");
      expect_near(synapse->outer(g, q), reference(c, q, W, g).W, "outer");
      const Tensor b = bias_of(*synapse);
      expect_near(synapse->add_bias(I), b.defined() ? I + b : I, "bias");
    }
  }
}

/// A layer of one synapse in a pass.  The loss is sum(g * current), so that the neuron has no part in it; it
/// fires nevertheless, for then the rule chooses what dW is made of.
struct Probe {
  Probe(const Case& c, bool hold)
      : layer(Registry<Synapse>::get().make(c.config), nullptr, make_neuron({{"name", "leaky_readout"}}),
              c.in) {
    prepare(*layer.synapse);
    int64_t slots = 0;
    layer.assign_slots(slots);
    pass.rule = Registry<Rule>::get().make({{"name", "bptt"}});
    pass.train = true;
    pass.hold_still = hold;
    pass.state.resize(static_cast<size_t>(slots));
  }
  Tensor current(const Signal& x) {
    const Layer::Drive drive = layer.current(x, pass);
    layer.fire({drive}, pass);
    return drive.I;
  }
  Tensor weight() { return layer.synapse->weight(); }

  Layer layer;
  Pass pass;
};

/// The gradient, which is then forgotten.
Tensor take_grad(const Tensor& leaf) {
  Tensor g = leaf.grad();
  leaf.mutable_grad().reset();
  return g;
}

/// Current and gradients of a layer for `x`, taken in windows of K steps, against the definition on
/// x.dense().
void check_layer(const Case& c, const Signal& x, int64_t K, bool hold) {
  SCOPED_TRACE(str("windows of ", K, hold ? ", held" : ", not held"));
  Probe probe(c, hold);
  Synapse& synapse = *probe.layer.synapse;
  const int64_t T = x.steps();
  for (int update = 0; update < 2;
       ++update) {  // the second sees other weights: nothing may be left of the first
    const Tensor W = probe.weight(), b = bias_of(synapse);
    const Tensor want = c.define(x.dense().detach(), W.detach());
    const Tensor g = random(T, x.batch(), sample_shape(want));
    std::vector<Tensor> currents;
    for (int64_t t = 0; t < T; t += K) {
      const Tensor I = probe.current(x.slice(t, std::min(t + K, T)));
      currents.push_back(I.detach());
      if (I.requires_grad()) I.backward(g.slice(0, t, t + K));
    }
    if (hold && x.stationary() && !x.a.requires_grad()) {
      EXPECT_FALSE(W.grad().defined()) << "one product for all windows, when the pass settles";
    }
    probe.pass.settle();
    expect_near(torch::cat(currents), b.defined() ? (want + b).detach() : want, "current");
    if (W.requires_grad()) expect_near(take_grad(W), reference(c, x, W, g).W, "dL/dW");
    if (b.defined()) {
      std::vector<int64_t> others = {0, 1};
      if (b.dim() == 3) others = {0, 1, 3, 4};
      expect_near(take_grad(b).flatten(), g.sum(others), "dL/db");
    }
    if (x.a.requires_grad()) expect_near(take_grad(x.a), reference(c, x, feedback_of(synapse), g).x, "dL/dx");
    torch::NoGradGuard no_grad;
    W.mul_(-0.75);
  }
}

TEST(SynapseGrad, StationaryInputOfALayerEqualsItsDenseForm) {
  torch::manual_seed(12);
  const Tensor gain = torch::tensor({0.5, -1.25, 0.0, 2.0, 0.3, 1.0, 1.0}, kDouble);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const Signal still = {random(1, 3, c.in), gain, {}}, dense = {still.dense(), {}, {}};
    for (const int64_t K : {7, 3}) {
      check_layer(c, dense, K, false);
      check_layer(c, still, K, false);
      check_layer(c, still, K, true);
    }
    // Credit on the image itself, as a layer before would get it: then nothing is held.
    still.a.requires_grad_();
    dense.a.requires_grad_();
    for (const bool hold : {false, true}) {
      check_layer(c, dense, 3, hold);
      check_layer(c, still, 3, hold);
    }
  }
}

}  // namespace
}  // namespace spiketrain
