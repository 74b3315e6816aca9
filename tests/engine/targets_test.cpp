// Targets other than labels, and sequences of several lengths, through Learner: against plain autograd in float64, where
// each sample runs alone at its length; what is counted and predicted.
#include "spiketrain/base/rng.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::targets_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kOut = 3;
using Kind = Target::Kind;

std::vector<int64_t> lengths() { return {6, 4, 1, 3}; }
std::shared_ptr<Network> network() { return dense_network(kIn, {7, 6, kOut}); }

Target random_target(Kind kind) {
  if (kind == Kind::class_index) return label_target(kBatch, kOut);
  torch::manual_seed(9);
  if (kind == Kind::values) return {kind, torch::randn({kBatch, kOut}, real())};
  return {kind, torch::randn({kSteps, kBatch, kOut}, real())};
}

Batch batch_of(Kind kind, bool padded, bool image = false) {
  Batch batch = image ? image_batch(kBatch, kIn, random_target(kind))
                      : frames_batch(kSteps, kBatch, kIn, random_target(kind));
  if (padded) batch.lengths = torch::tensor(lengths());
  return batch;
}

int64_t length_of(const Batch& batch, int64_t b) {
  return batch.lengths.defined() ? batch.lengths[b].item<int64_t>() : kSteps;
}

/// Loss of one sample's outputs a [L,1,out] over all its steps, without the division by the number of samples.
Tensor sample_loss(const Tensor& a, const Target& target) {
  if (target.kind == Kind::class_index) return step_ce(a, target.y);
  return (a - target.y).square().mean();  // broadcasts values over steps
}

/// Each sample alone at its length, credit cut every K steps.
double reference_pass(DenseReference& reference, const Batch& batch, int64_t K) {
  double sum = 0;
  for (int64_t b = 0; b < kBatch; ++b) {
    const int64_t L = length_of(batch, b);
    const Batch one = one_sample(batch, b, L);
    reference.start();
    std::vector<Tensor> a;
    for (int64_t t = 0; t < L; t += K) {
      reference.cut();
      a.push_back(reference.run(one, t, std::min(L, t + K)));
    }
    const Tensor loss = sample_loss(torch::cat(a), one.target) / static_cast<double>(kBatch);
    loss.backward();
    sum += loss.item<double>();
  }
  return sum;
}

LearnerParts parts_for(const std::shared_ptr<Network>& net, Kind kind, int64_t steps = kSteps) {
  LearnerParts parts = learner_parts(net, steps, kind == Kind::class_index ? "tet_ce" : "mse");
  parts.target = kind;
  return parts;
}

TEST(EngineTargets, EqualAutogradOfEachSampleAlone) {
  for (const Kind kind : {Kind::class_index, Kind::values, Kind::sequence}) {
    for (const bool padded : {false, true}) {
      for (const bool image : {false, true}) {
        for (const Config& schedule :
             {Config{{"name", "whole"}}, Config{{"name", "truncated"}, {"window", 2}},
              Config{{"name", "truncated"}, {"window", 1}},
              Config{{"name", "checkpointed"}, {"segment", 4}}}) {
          SCOPED_TRACE(
              str(to_string(kind), padded ? " padded " : " ", image ? "image " : "", schedule.dump()));
          const Batch batch = batch_of(kind, padded, image);
          const auto net = network();
          LearnerParts parts = parts_for(net, kind);
          parts.schedule = make<Schedule>(schedule);
          DenseReference reference(*net);
          const double loss = reference_pass(
              reference, batch, schedule["name"] == "truncated" ? int64_t(schedule["window"]) : kSteps);
          const PassResult result = Learner(parts).pass(batch, 0);
          EXPECT_NEAR(result.loss.item<double>(), loss, 1e-12 * (1 + loss));
          EXPECT_EQ(result.valid.defined(), padded);
          expect_gradients(*net, gradients_of(reference.W));
        }
      }
    }
  }
}

/// The same through Learner itself: a batch of one without padding.
TEST(EngineTargets, PaddingChangesNothing) {
  for (const Kind kind : {Kind::class_index, Kind::values, Kind::sequence}) {
    Batch batch = batch_of(kind, true);
    const auto net = network();
    std::vector<Tensor> sum;
    for (int64_t b = 0; b < kBatch; ++b) {
      const int64_t L = length_of(batch, b);
      Learner(parts_for(net, kind, L)).pass(one_sample(batch, b, L), 0);
      const auto gradients = take_gradients(*net);
      for (size_t k = 0; k < gradients.size(); ++k) {
        if (b == 0) sum.push_back(torch::zeros_like(gradients[k].second));
        sum[k] += gradients[k].second / static_cast<double>(kBatch);
      }
      batch.x.select(1, b).slice(0, L).fill_(50 * static_cast<double>(b + 1));  // whatever is there
    }
    Learner(parts_for(net, kind)).pass(batch, 0);
    expect_gradients(*net, sum);
  }
}

/// Objectives that read a sum or a mean over time.
TEST(EngineTargets, PaddingChangesNothingForAnyObjective) {
  for (const std::string& name : Registry<Objective>::get().names()) {
    SCOPED_TRACE(name);
    if (name == "van_rossum" || name == "distillation") continue;  // see unit/objective_padding_test.cpp
    const Kind kind =
        make<Objective>(name.c_str())->targets()[0];  // values of rate_bce, classes of the others
    const Batch batch = batch_of(kind, true);
    const auto parts = [&, net = network()](int64_t steps) {
      LearnerParts made = learner_parts(net, steps, name.c_str());
      made.target = kind;
      return made;
    };
    const auto net = parts(1).network;
    std::vector<Tensor> sum;
    double loss = 0;
    const double share = make<Objective>(name.c_str())->sums_over_samples() ? 1 : 1.0 / kBatch;
    for (int64_t b = 0; b < kBatch; ++b) {
      const int64_t L = length_of(batch, b);
      loss += share * Learner(parts(L)).pass(one_sample(batch, b, L), 0).loss.item<double>();
      const auto gradients = take_gradients(*net);
      for (size_t k = 0; k < gradients.size(); ++k) {
        if (b == 0) sum.push_back(torch::zeros_like(gradients[k].second));
        sum[k] += share * gradients[k].second;
      }
    }
    const PassResult result = Learner(parts(kSteps)).pass(batch, 0);
    EXPECT_NEAR(result.loss.item<double>(), loss, 1e-12 * (1 + loss));
    expect_gradients(*net, sum);
  }
}

TEST(EngineTargets, Predictions) {
  const auto net = network();
  for (const bool padded : {false, true}) {
    for (const char* schedule : {"whole", "truncated", "checkpointed"}) {
      const auto infer = [&](Kind kind) {
        LearnerParts parts = parts_for(net, kind);
        parts.schedule = make<Schedule>(schedule);
        return Learner(parts).infer(batch_of(kind, padded)).prediction;
      };
      const Tensor classes = infer(Kind::class_index), values = infer(Kind::values),
                   steps = infer(Kind::sequence);
      ASSERT_EQ(steps.sizes(), at::IntArrayRef({kSteps, kBatch, kOut}));
      const Batch batch = batch_of(Kind::sequence, padded);
      for (int64_t b = 0; b < kBatch; ++b) {
        const int64_t L = length_of(batch, b);
        DenseReference reference(*net);
        const Tensor a = reference.run(one_sample(batch, b, L), 0, L).detach().squeeze(1);
        EXPECT_LE(relative(steps.select(1, b).slice(0, 0, L), a), 1e-12);
        EXPECT_EQ(steps.select(1, b).slice(0, L).abs().sum().item<double>(), 0);
        EXPECT_LE(relative(values[b], a.mean(0)), 1e-12);
        EXPECT_LE(relative(classes[b], a.sum(0)), 1e-12);
      }
    }
  }
}

/// Spikes at padding and of replayed segments are not counted.
TEST(EngineTargets, TallyCountsValidStepsOnce) {
  const auto net = network();
  const Batch batch = batch_of(Kind::class_index, true);
  int64_t spikes[2] = {0, 0}, steps = 0;
  for (int64_t b = 0; b < kBatch; ++b) {
    const int64_t L = length_of(batch, b);
    steps += L;
    DenseReference reference(*net);
    reference.run(one_sample(batch, b, L), 0, L);
    for (size_t i = 0; i < reference.spikes.size(); ++i)
      spikes[i % 2] += reference.spikes[i].sum().to(torch::kLong).item<int64_t>();
  }
  ASSERT_GT(spikes[0] * spikes[1], 0);
  const int64_t slots[2] = {net->layers(0, false)[0]->slot(), net->layers(0, false)[1]->slot()};
  for (const char* schedule : {"whole", "truncated", "checkpointed"}) {
    LearnerParts parts = parts_for(net, Kind::class_index);
    parts.schedule = make<Schedule>(schedule);
    const Learner learner(parts);
    Tally trained, inferred;
    learner.pass(batch, 0, {}, &trained);
    learner.infer(batch, &inferred);
    for (const Tally* tally : {&trained, &inferred}) {
      for (const size_t l : {0U, 1U}) {
        const Tally::Count& count = tally->counts().at(static_cast<size_t>(slots[l]));
        EXPECT_EQ(count.spikes, spikes[l]) << schedule;
        EXPECT_EQ(count.sites, steps * (l == 0 ? 7 : 6)) << schedule;
      }
    }
  }
}

/// Nothing of a sample's prediction or gradient depends on the batch it comes in, random encoders and masks included.
TEST(EngineTargets, SamplesDoNotKnowTheirBatch) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(7, lif()), true);
  net->add(make<Stage>("dropout", {{"probability", 0.5}}), false);
  net->add(dense_layer(kOut, leaky_readout()), true);
  draw_weights(*net);
  for (const char* encoder : {"direct", "latency", "poisson"}) {
    SCOPED_TRACE(encoder);
    LearnerParts parts = parts_for(net, Kind::class_index);
    parts.encoder = make<Encoder>(encoder);
    const Learner learner(parts);
    Batch batch = batch_of(Kind::class_index, false, /*image=*/true);
    batch.ids = torch::tensor(std::vector<int64_t>{12, 3, 7, 40});
    batch.epoch = 2;
    const Tensor together = learner.infer(batch).prediction;
    std::vector<Tensor> sum;
    for (int64_t b = 0; b < kBatch; ++b) {
      const Batch one = one_sample(batch, b, kSteps);
      EXPECT_LE(relative(learner.infer(one).prediction[0], together[b]), 1e-12);
      learner.pass(one, 5);
      const auto gradients = take_gradients(*net);
      for (size_t k = 0; k < gradients.size(); ++k) {
        if (b == 0) sum.push_back(torch::zeros_like(gradients[k].second));
        sum[k] += gradients[k].second / static_cast<double>(kBatch);
      }
    }
    learner.pass(batch, 5);
    expect_gradients(*net, sum);
  }
}

std::string refusal(const LearnerParts& parts, const Batch& batch) {
  return message_of<UsageError>([&] { Learner(parts).pass(batch, 0); });
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(EngineTargets, WhatIsRefused) {
  const auto net = network();
  const LearnerParts classes = parts_for(net, Kind::class_index), values = parts_for(net, Kind::values);
  EXPECT_TRUE(has(refusal(classes, batch_of(Kind::values, false)),
                  "expected targets of kind class_index, got values"));
  Batch batch = batch_of(Kind::values, false);
  batch.target.y = batch.target.y.slice(1, 0, 2);
  EXPECT_TRUE(has(refusal(values, batch), "expected values of shape [4, 3], got [4, 2]"));
  batch = batch_of(Kind::class_index, false);
  batch.x = batch.x.slice(0, 0, 5);
  EXPECT_TRUE(has(refusal(classes, batch), "expected 6 frames, got 5"));
  batch = batch_of(Kind::class_index, false);
  batch.x = batch.x.slice(2, 0, 4);
  EXPECT_TRUE(has(refusal(classes, batch), "samples of shape [5], got [4]"));
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{0, 1, 1, 1}, {7, 1, 1, 1}, {1, 1, 1}}) {
    batch = batch_of(Kind::class_index, false);
    batch.lengths = torch::tensor(bad);
    EXPECT_TRUE(has(refusal(classes, batch), "a length between 1 and 6"));
  }
}

}  // namespace spiketrain::targets_test
