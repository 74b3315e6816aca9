// Blocks and what they learn from, through Learner: heads of their own, direct feedback (DFA) and target projection
// (DRTP) against plain autograd in float64, with the fixed matrices read from the signals themselves.
#include "spiketrain/core/head.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::signals_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kClasses = 3;

/// Three blocks: 7 | 6 | 5 and the readout.
std::shared_ptr<Network> network() {
  const auto net = dense_network(kIn, {7, 6, 5, kClasses});
  net->partition({1, 1, 1});
  return net;
}

Batch frames(bool padded = false) {
  Batch batch = frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses));
  if (padded) batch.lengths = torch::tensor(std::vector<int64_t>{6, 2, 5, 1});
  return batch;
}

/// Row c of the fixed matrix of block b: what comes of an error of 1 at output c.
Tensor matrix(const LearningSignal& signal, int64_t b) {
  const Tensor unit = torch::eye(kClasses, real()).unsqueeze(0);  // one step, a sample for each class
  return signal.delta(b, unit, label_target(kClasses, kClasses), 1, {})[0];
}

/// Gradients of the three blocks if the lower ones get `delta(b, error, K)` for the last one's error [K,B,classes] in a
/// segment; credit is cut every K steps.
template <class F>
std::vector<Tensor> reference(const Network& net, const Batch& batch, int64_t K, F&& delta) {
  std::vector<Tensor> W;
  for (const Tensor& p : net.parameters()) W.push_back(p.detach().clone().requires_grad_());
  std::vector<Tensor> v;
  for (const int64_t n : {7, 6, 5, 3}) v.push_back(torch::zeros({kBatch, n}, real()));
  const Tensor length = batch.lengths.defined() ? batch.lengths : torch::full({kBatch}, kSteps, torch::kLong);
  for (int64_t t0 = 0; t0 < kSteps; t0 += K) {
    std::vector<Tensor> out[3];
    for (Tensor& z : v) z = z.detach();
    for (int64_t t = t0; t < std::min(kSteps, t0 + K); ++t) {
      Tensor x = batch.x[t];
      for (size_t b = 0; b < 3; ++b) {
        x = lif_step(x.detach().mm(W[b].t()), v[b]);
        out[b].push_back(x);
      }
      out[2].back() = readout_step(x.mm(W[3].t()), v[3]);
    }
    const Tensor a = torch::stack(out[2]), top = a.detach().requires_grad_();
    const Tensor valid = (torch::arange(t0, t0 + a.size(0)).unsqueeze(1) < length).to(torch::kDouble);
    const Tensor ce = torch::cross_entropy_loss(top.flatten(0, 1), batch.target.y.repeat({a.size(0)}), {},
                                                at::Reduction::None)
                          .view({a.size(0), kBatch});
    (ce * valid / length).sum().div(kBatch).backward();
    a.backward(top.grad());
    for (int64_t b = 0; b < 2; ++b) {
      const Tensor s = torch::stack(out[b]);
      s.backward(delta(b, top.grad(), a.size(0)) * valid.unsqueeze(2));
    }
  }
  return gradients_of(W);
}

void check(const char* name,
           const std::function<Tensor(const Tensor& B, const Tensor& error, const Tensor& label)>& formula) {
  for (const bool padded : {false, true}) {
    for (const int64_t K : {1, 4, 6}) {
      for (const bool replay : {false, true}) {
        if (replay && K != 4) continue;
        SCOPED_TRACE(str(name, " ", K, padded ? " padded" : "", replay ? " replay" : ""));
        const auto net = network();
        LearnerParts parts = learner_parts(net, kSteps);
        parts.signal = make<LearningSignal>(name, {{"scale", 0.5}});
        parts.schedule = replay ? make<Schedule>("checkpointed", {{"segment", K}})
                                : make<Schedule>("truncated", {{"window", K}});
        const Learner learner(parts);
        const Tensor B[2] = {matrix(*parts.signal, 0), matrix(*parts.signal, 1)};
        const Batch batch = frames(padded);
        const auto want = reference(
            *net, batch, replay ? kSteps : K,
            [&](int64_t b, const Tensor& error, int64_t) { return formula(B[b], error, batch.target.y); });
        int64_t losses = 0;
        learner.pass(batch, 0, [&](const Segment&, const BlockLosses& list) {
          losses = static_cast<int64_t>(list.size());
          return true;
        });
        EXPECT_EQ(losses, 1);  // only the output has one
        expect_gradients(*net, want);
      }
    }
  }
}

TEST(EngineSignals, DirectFeedback) {
  check("dfa", [](const Tensor& B, const Tensor& error, const Tensor&) { return torch::matmul(error, B); });
}

TEST(EngineSignals, TargetProjection) {
  // matrix() asks for one step of `kClasses` samples, and -y B/(K N) gives -B/kClasses.  In a segment of K of the T
  // scored steps the engine weighs -y B/(K N) by K/T.
  check("drtp", [](const Tensor& B, const Tensor& error, const Tensor& label) {
    const auto places = static_cast<double>(kSteps * kBatch);
    const Tensor delta = B.index_select(0, label) * (static_cast<double>(kClasses) / places);
    return delta.unsqueeze(0).expand({error.size(0), kBatch, B.size(1)});
  });
}

/// An objective whose error is given: what a layer learns from a given dL/d(its output).
struct Given final : Objective {
  Tensor delta;  ///< [T,B,*out]
  Tensor loss(const Output&, const Target&) const override { return torch::zeros({}, real()); }
  Error error(const Output& out, const Target&) const override {
    return {torch::zeros({}, real()), delta.slice(0, out.segment.t0, out.segment.t1)};
  }
};

/// Gradient of a network of one layer of weight W and this neuron that reads frames x and is told `delta`.
Tensor taught(const Tensor& W, std::shared_ptr<Neuron> neuron, const RuleP& rule, const Tensor& x,
              const Tensor& delta) {
  const auto net = std::make_shared<Network>(Shape{W.size(1)});
  net->add(dense_layer(W.size(0), std::move(neuron)), true);
  net->to(torch::kDouble);
  {
    const torch::NoGradGuard no_grad;
    net->parameters()[0].copy_(W);
  }
  LearnerParts parts = learner_parts(net, kSteps);
  parts.method = {rule};
  const auto given = std::make_shared<Given>();
  given->delta = delta;
  parts.objective = given;
  Batch batch = frames();
  batch.x = x;
  batch.target.y = torch::zeros({kBatch}, torch::kLong);
  Learner(parts).pass(batch, 0);
  return net->parameters()[0].grad();
}

/// What each layer sends over the sequence: [layer] [T,B,*].
std::vector<Tensor> sent(Network& net, const Batch& batch) {
  const torch::NoGradGuard no_grad;
  Context context;
  Carry carry = net.start();
  std::vector<Tensor> shown;
  Signal x = Signal::dense(batch.x);
  for (int64_t b = 0; b < net.blocks(); ++b) {
    x = net.forward_block(b, x, context, carry);
    shown.push_back(x.values());
  }
  return shown;
}

/// With the output layer apart every hidden layer has its matrix, the last one too, whatever the rule: each learns what a
/// layer alone would of that signal, and nothing through the output's weights.
TEST(EngineSignals, EveryHiddenLayerAndEveryRule) {
  const Config signals[] = {{{"name", "dfa"}},
                            {{"name", "dfa"}, {"divide_by", "one"}},
                            {{"name", "dfa"}, {"send", "sign"}},
                            {{"name", "drtp"}, {"divide_by", "one"}}};
  const Batch batch = frames();
  for (const char* rule : {"bptt", "sltt", "ottt", "s_tllr"}) {
    for (const Config& config : signals) {
      SCOPED_TRACE(rule + config.dump());
      const auto net = dense_network(kIn, {7, 6, 5, kClasses});
      net->partition({1, 1, 1, 1});
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.signal = make<LearningSignal>(config);
      const Learner learner(parts);
      const std::vector<Tensor> shown = sent(*net, batch);
      const Tensor out = shown[3].clone().requires_grad_();
      const Tensor error = torch::autograd::grad({step_ce(out, batch.target.y)}, {out})[0];
      learner.pass(batch, 0);
      const auto matrices = parts.signal->matrices();
      ASSERT_EQ(matrices.size(), 3U);
      const double N = config.contains("divide_by") ? 1 : kBatch;
      const Tensor one_hot = torch::one_hot(batch.target.y, kClasses).to(torch::kDouble);
      Tensor e = error * (kBatch / N);
      if (config.contains("send")) e = error.sign() / (kSteps * N);
      if (config["name"] == "drtp") e = -one_hot.expand({kSteps, kBatch, kClasses}) / (kSteps * N);
      const auto weights = net->parameters();
      for (size_t l = 0; l < 4; ++l) {
        const Tensor x = l == 0 ? batch.x : shown[l - 1];
        const Tensor delta = l == 3 ? error : torch::matmul(e, matrices[l]);
        const Tensor want =
            taught(weights[l].detach(), l == 3 ? leaky_readout() : lif(), parts.method.rule, x, delta);
        EXPECT_GT(want.norm().item<double>(), 0) << l;
        EXPECT_LE(relative(weights[l].grad(), want), kGradientTolerance) << l;
      }
    }
  }
}

/// DFA and DRTP in windows of one step, each with an update: the carried states are all that goes on.
TEST(EngineSignals, WindowsOfOneStepAddUpForLocalRules) {
  for (const Config& config : {Config{{"name", "dfa"}, {"send", "sign"}}, Config{{"name", "drtp"}}}) {
    for (const char* rule : {"sltt", "ottt", "s_tllr"}) {
      SCOPED_TRACE(rule + config.dump());
      std::vector<Tensor> whole;
      for (const char* schedule : {"whole", "truncated"}) {
        const auto net = dense_network(kIn, {7, 6, kClasses});
        net->partition({1, 1, 1});
        LearnerParts parts = learner_parts(net, kSteps);
        parts.method = {make<Rule>(rule)};
        parts.signal = make<LearningSignal>(config);
        parts.schedule = make<Schedule>(schedule);
        Learner(parts).pass(frames(), 0);
        if (whole.empty()) {
          for (const auto& item : take_gradients(*net)) whole.push_back(item.second);
        } else {
          expect_gradients(*net, whole);
        }
      }
    }
  }
}

/// The fixed matrices belong to the seed.
TEST(EngineSignals, MatricesAreDrawnFromTheSeed) {
  for (const char* name : {"dfa", "drtp"}) {
    const auto drawn = [&](uint64_t seed) {
      const auto signal = make<LearningSignal>(name);
      signal->build(*network(), seed);
      return matrix(*signal, 0);
    };
    EXPECT_TRUE(torch::equal(drawn(1), drawn(1)));
    EXPECT_FALSE(torch::equal(drawn(1), drawn(2)));
    EXPECT_GT(drawn(1).norm().item<double>(), 0);
  }
}

/// Whatever blocks learn from, the loss of the output goes down on one batch.
TEST(EngineSignals, EachTrains) {
  for (const char* name : {"heads", "dfa", "drtp"}) {
    const auto net = network();
    LearnerParts parts = learner_parts(net, kSteps);
    parts.signal = make<LearningSignal>(name);
    if (parts.signal->uses_heads()) {
      for (int64_t b = 0; b < 2; ++b) net->attach_head(b, {dense_layer(kClasses, leaky_readout())});
      draw_weights(*net);
    }
    const Learner learner(parts);
    const Batch batch = frames();
    double first = 0, last = 0;
    for (int i = 0; i < 100; ++i) {
      last = learner.pass(batch, static_cast<uint64_t>(i)).loss.item<double>();
      if (i == 0) first = last;
      torch::NoGradGuard no_grad;
      for (Tensor p : net->parameters()) {
        ASSERT_TRUE(p.grad().defined()) << name;
        p.sub_(0.1 * p.grad());
        p.mutable_grad() = Tensor();
      }
    }
    EXPECT_LT(last, 0.9 * first) << name;
  }
}

/// Blocks of one layer with heads of their own: what lies above a block is no part of its gradients, to the last bit.
TEST(EngineSignals, BlocksWithHeadsDoNotSeeTheLayersAbove) {
  for (const char* rule : {"bptt", "sltt", "ottt", "s_tllr", "rtrl"}) {
    for (const int64_t window : {1, 4, 6}) {
      SCOPED_TRACE(str(rule, ", windows of ", window));
      const auto net = network();
      for (int64_t b = 0; b < 2; ++b) net->attach_head(b, {dense_layer(kClasses, leaky_readout())});
      draw_weights(*net);
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.schedule = make<Schedule>("truncated", {{"window", window}});
      Learner learner(parts);
      const auto gradients = [&] {
        learner.pass(frames(), 0);
        std::map<std::string, Tensor> list;
        for (const auto& [name, gradient] : take_gradients(*net)) list[name] = gradient;
        return list;
      };
      const auto before = gradients();
      {
        const torch::NoGradGuard no_grad;
        for (auto& item : net->named_parameters()) {  // nodes 2 and 3: the last block
          if (item.key()[0] == '2' || item.key()[0] == '3')
            item.value().copy_(torch::randn_like(item.value()));
        }
      }
      int64_t same = 0, other = 0;
      for (const auto& [name, gradient] : gradients()) {
        const bool above = name[0] == '2' || name[0] == '3';
        EXPECT_GT(gradient.abs().max().item<double>(), 0) << name;
        EXPECT_EQ(torch::equal(gradient, before.at(name)), !above) << name;
        ++(above ? other : same);
      }
      EXPECT_EQ(other, 2);
      EXPECT_EQ(same, 4);  // two layers and their heads
    }
  }
}

/// Heads: one loss for each block, the output's last.  grad/truncated_test.cpp has their gradients.
TEST(EngineSignals, LossesOfAllBlocks) {
  const auto net = network();
  LearnerParts parts = learner_parts(net, kSteps);
  EXPECT_NE(message_of<UsageError>([&] { const Learner learner(parts); }).find("block 0 has no head"),
            std::string::npos);
  for (int64_t b = 0; b < 2; ++b) net->attach_head(b, {dense_layer(kClasses, leaky_readout())});
  draw_weights(*net);
  for (const char* schedule : {"whole", "truncated", "checkpointed"}) {
    parts.schedule = make<Schedule>(schedule);
    const Learner learner(parts);
    Tensor output;
    const PassResult result = learner.pass(frames(), 0, [&](const Segment&, const BlockLosses& losses) {
      EXPECT_EQ(losses.size(), 3U);
      output = losses.back();
      return true;
    });
    EXPECT_EQ(output.item<double>(), result.loss.item<double>());
    EXPECT_NEAR(learner.infer(frames()).loss.item<double>(), result.loss.item<double>(), 1e-12);
    take_gradients(*net);
  }
}

}  // namespace spiketrain::signals_test
