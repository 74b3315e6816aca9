// apply, pull and outer of every synapse against autograd of its definition, in float64, for dense input and spikes; the
// way back through every feedback; and the same through a layer, for a dense and for a constant input.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "spiketrain/core/layer.h"
#include "tests/support/complex_maps.h"
#include "tests/support/convolve_sides.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::synapse_test {

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
  for (const Sides& s : sides_cases())
    list.push_back({config_of(s), s.kernel.size() == 1 ? Shape{4, 13} : Shape{4, 8, 7},
                    [=](const Tensor& x, const Tensor& W) { return convolve_sides(x, W, s); }});
  // Enough features or inputs that a product is cut by columns, and few.
  for (const int64_t features : {1, 5, 130}) {
    list.push_back({{{"name", "linear"}, {"features", features}, {"bias", features == 5}}, {7}, multiply});
    list.push_back({{{"name", "linear"}, {"features", features}, {"bias", true}}, {2, 9, 7}, multiply});
  }
  const auto elements = [](const Tensor& x, const Tensor& W) { return x * W; };
  list.push_back({{{"name", "one_to_one"}}, {3, 4, 5}, elements});
  list.push_back({{{"name", "one_to_one"}}, {6}, elements});
  list.push_back({{{"name", "one_to_one"}, {"weights", "ones"}}, {3, 4, 5}, elements});
  for (const char* weights : {"uniform", "sign", "square_wave"}) {
    list.push_back({{{"name", "linear"}, {"features", 5}, {"weights", weights}}, {2, 3, 4}, multiply});
  }
  for (const ComplexMapCase& c : complex_map_cases()) list.push_back({c.config, c.in, c.define});
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

Tensor bias_of(const Synapse& synapse) {
  const auto parameters = synapse.named_parameters();
  return parameters.contains("bias") ? parameters["bias"] : Tensor();
}

struct Gradients {
  Tensor x, W;
};

/// Autograd of sum(g * define(x, W)); for a constant signal x is its image.
Gradients reference(const Case& c, const Signal& x, const Tensor& W, const Tensor& g) {
  const Tensor a = (x.is_constant() ? x.image() : x.values()).detach().clone().requires_grad_();
  const Tensor w = W.detach().clone().requires_grad_();
  const Tensor values = x.is_constant() ? spread(a, x.gain()) : a;
  const auto grads = torch::autograd::grad({c.define(values, w)}, {a, w}, {g});
  return {grads[0], grads[1]};
}

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  ASSERT_EQ(got.scalar_type(), torch::kDouble) << what;
  EXPECT_LE((got - want).norm().item<double>(), kTolerance * want.norm().item<double>()) << what;
}

TEST(SynapseGrad, EveryRegisteredSynapseHasACase) {
  std::set<std::string> covered = {"delayed_linear"};  // its weight is made of others: engine/delays_test.cpp
  for (const Case& c : cases()) covered.insert(c.config["name"]);
  for (const auto* entry : Registry<Synapse>::get().entries())
    EXPECT_TRUE(covered.count(entry->name)) << entry->name;
}

TEST(SynapseGrad, EqualsAutogradOfTheDefinition) {
  torch::manual_seed(11);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const auto synapse = make<Synapse>(c.config);
    const Shape out = synapse->build(c.in);
    prepare(*synapse);
    const Tensor W = synapse->weight().detach();
    // One sample; fewer rows than columns or a ragged last chunk; enough rows to be cut by rows.
    for (const auto& [T, B] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {20, 6}}) {
      const Signal x = Signal::dense(random(T, B, c.in)), q = Signal::dense(random(T, B, c.in));
      const Tensor g = random(T, B, out), I = synapse->apply(x, W);
      expect_near(I, c.define(x.values(), W), "apply");
      expect_near(synapse->pull(g, W), reference(c, x, W, g).x, "pull");
      expect_near(synapse->outer(g, q), reference(c, q, W, g).W, "outer");
      const Tensor b = bias_of(*synapse);
      ASSERT_EQ(synapse->bias().defined(), b.defined());
      if (!b.defined()) continue;
      EXPECT_TRUE(torch::equal(I + synapse->bias(), I + b));
    }
  }
}

TEST(SynapseGrad, StandardisedWeightsEqualAutogradOfTheirFormula) {
  torch::manual_seed(12);
  for (const Config& config : {Config{{"name", "linear"}, {"features", 300}},
                               Config{{"name", "conv2d"}, {"channels", 6}, {"kernel", 3}}}) {
    Config options = config;
    options["weight_standardisation"] = true;
    const auto synapse = make<Synapse>(options);
    synapse->build({3, 8, 7});
    prepare(*synapse);
    const auto parameters = synapse->named_parameters();
    const Tensor W = parameters["weight"], gain = parameters["gain"];
    {
      const torch::NoGradGuard no_grad;
      gain.copy_(torch::randn(gain.sizes(), kDouble));
    }
    const Tensor rows = W.flatten(1), c = rows - rows.mean(1, true);
    const Tensor scale = torch::sqrt(rows.var(1, /*unbiased=*/true, /*keepdim=*/true) * rows.size(1) + 1e-4);
    const Tensor defined = (gain.flatten(1) * c / scale).view(W.sizes()),
                 g = torch::randn(W.sizes(), kDouble);
    const auto want = torch::autograd::grad({defined}, {W, gain}, {g});
    const auto got = torch::autograd::grad({synapse->weight()}, {W, gain}, {g});
    expect_near(synapse->weight(), defined, "weight");
    expect_near(got[0], want[0], "dL/dW");
    expect_near(got[1], want[1], "dL/dgain");
  }
  const auto fixed = [] { make<Synapse>("linear", {{"weights", "sign"}, {"weight_standardisation", true}}); };
  EXPECT_THROW(fixed(), UsageError);
}

/// Counts, and counts through a PSP filter, whose values are numbers of their own.
TEST(SynapseGrad, SpikesGiveTheBitsOfTheirFloats) {
  torch::manual_seed(14);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const auto synapse = make<Synapse>(c.config);
    const Shape out = synapse->build(c.in);
    prepare(*synapse);
    const Tensor W = synapse->weight().detach();
    for (const auto& [T, B] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {20, 6}}) {
      const Tensor counts = (random(T, B, c.in) * 2).clamp(0, 3).to(torch::kUInt8), g = random(T, B, out);
      const Spikes s = Spikes::from_bytes(counts, -1, 3);
      const Tensor psp = random(T, B, c.in);
      const std::pair<Signal, Tensor> signals[] = {
          {Signal::spikes(s, torch::kDouble), counts.to(torch::kDouble)},
          {Signal::psp(s, carrier(counts.sizes(), kDouble), 2, psp, {}), psp}};
      for (const auto& [x, values] : signals) {
        const Signal dense = Signal::dense(values);
        EXPECT_TRUE(torch::equal(synapse->apply(x, W), synapse->apply(dense, W)));
        EXPECT_TRUE(torch::equal(synapse->outer(g, x), synapse->outer(g, dense)));
      }
    }
  }
}

TEST(SynapseGrad, ScaleIsForFixedWeights) {
  EXPECT_THROW(make<Synapse>("linear", {{"scale", 0.5}}), UsageError);
  EXPECT_NO_THROW(make<Synapse>("linear", {{"scale", 0.5}, {"weights", "sign"}}));
}

/// A layer of one synapse in a pass that trains.  Its readout forgets everything from step to step, so that its output
/// is the current.
struct Probe {
  Probe(const Case& c, bool hold, const Config& feedback = nullptr) : network(c.in) {
    Connection connection;
    connection.synapse = make<Synapse>(c.config);
    if (!feedback.is_null()) connection.feedback = make<Feedback>(feedback);
    network.add(std::make_shared<Layer>(std::vector<Connection>{connection},
                                        make<Neuron>("leaky_readout", {{"leak", 0.0}})),
                true);
    network.initialise(3);
    network.to(torch::kDouble);
    prepare(*synapse());
    context = train_context();
    if (hold) context.currents = &currents;
    carry = network.start();
  }
  /// Of a segment; state is cut before it.
  Tensor current(const Signal& x) {
    carry.detach();
    return network.forward(x, context, carry).values();
  }
  std::shared_ptr<Synapse> synapse() { return layer_of(network, "0").connections()[0].synapse; }
  Tensor weight() { return synapse()->weight(); }

  Network network;
  Context context;
  ConstantCurrents currents;
  Carry carry;
};

/// The gradient, which is then forgotten.
Tensor take_grad(const Tensor& leaf) {
  Tensor g = leaf.grad();
  leaf.mutable_grad().reset();
  return g;
}

/// Current and gradients of a layer for `x`, taken in segments of K steps, against the definition on x.values().
void check_layer(const Case& c, const Signal& x, int64_t K, bool hold) {
  SCOPED_TRACE(str("segments of ", K, hold ? ", held" : ", not held"));
  Probe probe(c, hold);
  Synapse& synapse = *probe.synapse();
  const int64_t T = x.steps();
  for (int update = 0; update < 2;
       ++update) {  // the second sees other weights: nothing may be left of the first
    const Tensor W = probe.weight(), b = bias_of(synapse);
    const Tensor want = c.define(x.values().detach(), W.detach());
    const Tensor g = random(T, x.batch(), sample_shape(want));
    std::vector<Tensor> currents;
    for (int64_t t = 0; t < T; t += K) {
      const Tensor I = probe.current(x.slice(t, std::min(t + K, T)));
      currents.push_back(I.detach());
      if (I.requires_grad()) I.backward(g.slice(0, t, t + K));
    }
    if (hold && x.is_constant() && !x.image().requires_grad()) {
      EXPECT_FALSE(W.grad().defined()) << "one product for all segments, when the currents settle";
    }
    probe.currents.settle();
    expect_near(torch::cat(currents), b.defined() ? (want + b).detach() : want, "current");
    if (W.requires_grad()) expect_near(take_grad(W), reference(c, x, W, g).W, "dL/dW");
    if (b.defined()) {
      std::vector<int64_t> others = {0, 1};
      for (int64_t i = 1; i < b.dim(); ++i) others.push_back(i + 2);
      expect_near(take_grad(b).flatten(), g.sum(others), "dL/db");
    }
    if (x.edge().requires_grad()) expect_near(take_grad(x.edge()), reference(c, x, W, g).x, "dL/dx");
    torch::NoGradGuard no_grad;
    W.mul_(-0.75);
    probe.carry = probe.network.start();
  }
}

TEST(SynapseGrad, ConstantInputOfALayerEqualsItsDenseForm) {
  torch::manual_seed(12);
  const Tensor gain = torch::tensor({0.5, -1.25, 0.0, 2.0, 0.3, 1.0, 1.0}, kDouble);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const Signal still = Signal::constant(random(1, 3, c.in), gain), dense = Signal::dense(still.values());
    for (const int64_t K : {7, 3}) {
      check_layer(c, dense, K, false);
      check_layer(c, still, K, false);
      check_layer(c, still, K, true);
    }
    // Credit on the image itself, as a layer before would get it: then nothing is held.
    const Signal image = still.with_edge(still.image().clone().requires_grad_());
    const Signal values = dense.with_edge(dense.edge().clone().requires_grad_());
    for (const bool hold : {false, true}) {
      check_layer(c, values, 3, hold);
      check_layer(c, image, 3, hold);
    }
  }
}

/// The weight gradient by rules whose factors of a constant image are that image with other profiles, in segments of
/// two steps; `hold`: with one product for all of them.
Tensor trace_gradient(const Case& c, const RuleP& rule, const Signal& x, const Tensor& g, bool hold) {
  Probe probe(c, hold);
  probe.context.method.rule = rule;
  const Tensor W = probe.weight();
  for (int64_t t = 0; t < x.steps(); t += 2) {
    const int64_t end = std::min(t + 2, x.steps());
    probe.current(x.slice(t, end)).backward(g.slice(0, t, end).contiguous());
  }
  EXPECT_NE(W.grad().defined(), hold && x.is_constant())
      << "one product for all segments, when the currents settle";
  probe.currents.settle();
  return take_grad(W);
}

/// Two segments forward, each with an image of its own as a stage before the layer makes it, and only then their credit.
TEST(SynapseGrad, CreditOfAReplacedImageIsNotLost) {
  torch::manual_seed(18);
  const Case c = cases()[0];
  const Tensor gain = torch::tensor({0.5, -1.25}, kDouble);
  const Signal x[] = {Signal::constant(random(1, 3, c.in), gain), Signal::constant(random(1, 3, c.in), gain)};
  Tensor results[2];
  for (const bool hold : {false, true}) {
    Probe probe(c, hold);
    const Tensor first = probe.current(x[0]), second = probe.current(x[1]);
    first.backward(torch::ones_like(first));
    second.backward(torch::full_like(second, 2));
    probe.currents.settle();
    results[hold] = take_grad(probe.weight());
  }
  expect_near(results[1], results[0], "dL/dW");
}

TEST(SynapseGrad, TracesOfAConstantImageMeetItOnce) {
  torch::manual_seed(17);
  const Tensor gain = torch::tensor({0.5, -1.25, 0.0, 2.0, 0.3}, kDouble);
  const std::vector<Case> all = cases();
  for (const Case& c : {all[0], all[19]}) {
    SCOPED_TRACE(c.config.dump());
    const Signal still = Signal::constant(random(1, 3, c.in), gain), dense = Signal::dense(still.values());
    const Tensor g = torch::randn_like(Probe(c, false).current(dense));
    for (const Config& options : {Config{{"name", "ottt"}, {"trace_leak", 0.7}},
                                  Config{{"name", "s_tllr"}, {"alpha_pre", 0.5}, {"alpha_post", -1}}}) {
      SCOPED_TRACE(options.dump());
      const RuleP rule = make<Rule>(options);
      const Tensor want = trace_gradient(c, rule, dense, g, false);
      EXPECT_GT(want.abs().max().item<double>(), 0);
      for (const bool hold : {false, true})
        expect_near(trace_gradient(c, rule, still, g, hold), want, "dL/dW");
    }
  }
}

/// dL/dx = F^T g and dL/dW as ever, for every feedback; what F is, by name.
TEST(SynapseGrad, FeedbackReplacesTheTransposeOnly) {
  torch::manual_seed(13);
  const std::vector<Case> all = cases();
  for (const Case& c : {all[19], all.back()}) {  // a convolution; fixed weights
    for (const auto* entry : Registry<Feedback>::get().entries()) {
      SCOPED_TRACE(entry->name);
      Probe probe(c, false, {{"name", entry->name}});
      const Tensor W = probe.weight();
      const double s = 1 / std::sqrt(static_cast<double>(W[0].numel()));
      const auto buffers = probe.network.named_buffers();
      Tensor F = W.detach();
      if (entry->name == "sign") F = torch::sign(F) * s;
      if (entry->name == "random" || entry->name == "adaptive") {
        F = entry->name == "random" ? buffers["0.feedback.feedback"]
                                    : probe.network.named_parameters()["0.feedback.feedback"].detach();
        EXPECT_LE(F.abs().max().item<double>(), s);
        EXPECT_GT(F.abs().max().item<double>(), 0.8 * s);
        EXPECT_GT((F - W).abs().max().item<double>(), 0.01 * s);
      }
      const Signal x = Signal::dense(random(4, 2, c.in).requires_grad_());
      const Tensor I = probe.current(x), g = torch::randn(I.sizes(), kDouble);
      I.backward(g);
      expect_near(x.edge().grad(), reference(c, x, F, g).x, "dL/dx");
      if (W.requires_grad()) expect_near(take_grad(W), reference(c, x, W, g).W, "dL/dW");
    }
  }
}

TEST(SynapseGrad, RandomFeedbackIsDrawnFromItsStream) {
  for (const double scale : {0.0, 0.5}) {
    auto feedback = make<Feedback>("random", {{"scale", scale}});
    feedback->build(torch::zeros({3, 4}));
    feedback->initialise(7, 1);
    Rng rng(7, Purpose::feedback, 1);
    const double s = scale > 0 ? scale : 0.5;  // 1/sqrt(4)
    const Tensor F = feedback->matrix(torch::zeros({3, 4}));
    for (int64_t i = 0; i < 12; ++i)
      EXPECT_EQ(F.flatten()[i].item<float>(), static_cast<float>(rng.uniform(-s, s)));
  }
}

}  // namespace spiketrain::synapse_test
