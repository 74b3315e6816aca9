// Several processes, here threads, that share every batch: gradients, losses, statistics and chosen steps are those of one that has
// all samples, in float64.
#include <functional>

#include "spiketrain/core/head.h"
#include "spiketrain/engine/gradients.h"
#include "spiketrain/engine/shares.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"
#include "tests/support/thread_group.h"

namespace spiketrain::group_test {

constexpr int64_t kSteps = 6, kBatch = 7, kIn = 5, kClasses = 3;

/// Linear, norm, neuron.
std::shared_ptr<Layer> layer(int64_t features, const Config& norm = nullptr) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", features}, {"bias", true}});
  if (!norm.is_null()) c.norm = make<Norm>(norm);
  return std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("lif"));
}

std::shared_ptr<Network> network(const Config& norm = nullptr) {
  auto net = std::make_shared<Network>(Shape{kIn});
  net->add(layer(8, norm), true);
  net->add(make<Stage>("dropout", {{"probability", 0.3}}), false);
  net->add(layer(6, norm), true);
  net->add(layer(kClasses, norm), true);
  draw_weights(*net);
  return net;
}

/// The same in blocks of a layer with heads.
std::shared_ptr<Network> blocks(bool heads) {
  auto net = network();
  net->partition({1, 1});
  if (heads)
    net->attach_head(0, make<Head>("linear")->build(net->block_shape(0), {kClasses}, leaky_readout()));
  draw_weights(*net);
  return net;
}

LearnerParts parts(std::shared_ptr<Network> net, const Config& schedule = {{"name", "whole"}},
                   const char* objective = "rate_ce") {
  LearnerParts p = learner_parts(std::move(net), kSteps, objective);
  p.method = {make<Rule>("bptt")};
  p.schedule = make<Schedule>(schedule);
  return p;
}

Batch frames(bool padded = false) {
  Batch b = frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses));
  b.ids = torch::arange(100, 100 + kBatch);
  if (padded) b.lengths = torch::tensor({6, 3, 4, 6, 1, 5, 2});
  return b;
}

/// What one has of a batch that `size` share.
Batch part_of(const Batch& batch, int64_t rank, int64_t size) {
  const int64_t B = batch.size(), begin = B * rank / size, end = B * (rank + 1) / size;
  Batch part = share_of(batch, begin, end);
  part.share = static_cast<double>(end - begin) / static_cast<double>(B);
  return part;
}

/// After some passes, with a step of size 0.1 along the gradient at each update.
struct Outcome {
  NamedTensors tensors;  ///< parameters and buffers
  std::vector<Tensor> losses;
  std::vector<Tensor> gradients;  ///< of the last update
  Tensor penalties;
};

Outcome train(LearnerParts p, const std::function<Batch()>& batch, const std::shared_ptr<Group>& group,
              int passes = 3) {
  Learner learner(std::move(p));
  if (group) learner.join(group);
  Network& net = learner.network();
  Outcome out;
  const auto update = [&](const Segment&, const BlockLosses& losses) {
    const torch::NoGradGuard no_grad;
    out.gradients.clear();
    for (const auto& [name, w] : trained_parameters(net)) {
      out.gradients.push_back(w.grad().defined() ? w.grad().clone() : Tensor());
      if (w.grad().defined()) w.add_(w.grad(), -0.1);
    }
    for (const Tensor& loss : losses) out.losses.push_back(loss);
    net.zero_grad(/*set_to_none=*/true);
    return true;
  };
  for (int i = 0; i < passes; ++i)
    out.penalties = learner.pass(batch(), static_cast<uint64_t>(i), update).penalties;
  for (const auto& item : net.named_parameters()) out.tensors.emplace_back(item.key(), item.value());
  for (const auto& item : net.named_buffers()) out.tensors.emplace_back(item.key(), item.value());
  return out;
}

void expect_near(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.defined(), b.defined()) << what;
  if (a.defined()) {
    EXPECT_LE((a - b).abs().max().item<double>(), 1e-12) << what;
  }
}

void expect_same(const Outcome& ours, const Outcome& whole) {
  ASSERT_EQ(ours.gradients.size(), whole.gradients.size());
  for (size_t k = 0; k < ours.gradients.size(); ++k)
    expect_near(ours.gradients[k], whole.gradients[k], str("gradient ", k));
  ASSERT_EQ(ours.losses.size(), whole.losses.size());
  for (size_t k = 0; k < ours.losses.size(); ++k) expect_near(ours.losses[k], whole.losses[k], "loss");
  for (size_t k = 0; k < ours.tensors.size(); ++k)
    expect_near(ours.tensors[k].second, whole.tensors[k].second, ours.tensors[k].first);
  expect_near(ours.penalties, whole.penalties, "penalties");
}

/// make() builds equal parts each time.
void check(const std::function<LearnerParts()>& make, const Batch& batch) {
  const Outcome whole = train(
      make(), [&] { return batch; }, nullptr);
  ASSERT_FALSE(whole.gradients.empty());
  EXPECT_GT(whole.gradients[0].abs().max().item<double>(), 0);
  for (const int64_t size : {2, 3, 7}) {
    SCOPED_TRACE(str(size, " processes"));
    std::vector<LearnerParts> all;  // made here: registries and the generator of weights are not for threads
    for (int64_t r = 0; r < size; ++r) all.push_back(make());
    std::vector<Outcome> outcomes(all.size());
    in_group(size, [&](const std::shared_ptr<Group>& group) {
      const auto rank = static_cast<size_t>(group->rank());
      outcomes[rank] = train(
          all[rank], [&] { return part_of(batch, group->rank(), size); }, group);
    });
    for (const Outcome& outcome : outcomes) {
      expect_same(outcome, whole);
      for (size_t k = 0; k < outcome.tensors.size(); ++k)
        EXPECT_TRUE(torch::equal(outcome.tensors[k].second, outcomes[0].tensors[k].second))
            << outcome.tensors[k].first;
    }
  }
}

TEST(Group, SharesOfABatchGiveItsGradient) {
  for (const bool padded : {false, true}) check([] { return parts(network()); }, frames(padded));
  check([] { return parts(network()); }, image_batch(kBatch, kIn, label_target(kBatch, kClasses)));
}

TEST(Group, UpdatesInsideOfASequence) {
  for (const int64_t window : {1, 4})
    check(
        [&] {
          return parts(network(), {{"name", "truncated"}, {"window", window}}, "tet_ce");
        },
        frames(true));
}

TEST(Group, CheckpointedAndSkippedSteps) {
  check([] { return parts(network(), {{"name", "checkpointed"}}); }, frames());
  // The steps with the least spikes are left out: of the whole batch, not of what a process has.
  check([] { return parts(network(), {{"name", "skipper"}, {"segment", 3}, {"skip", 40}}); }, frames());
}

TEST(Group, BlocksWithHeads) {
  for (const bool block_major : {true, false}) {
    for (const char* update : {"window", "batch"}) {
      const auto make_parts = [&] {
        LearnerParts p =
            parts(blocks(true), {{"name", "truncated"}, {"window", 2}, {"update", update}}, "tet_ce");
        p.block_major = block_major;
        return p;
      };
      check(make_parts, frames());
      const Batch images = image_batch(kBatch, kIn, label_target(kBatch, kClasses));
      check(make_parts, images);
      // Where some processes take their share at once and others, with one sample more, do not.
      const auto make_few = [&] {
        LearnerParts p = make_parts();
        p.samples_at_once = 3;
        return p;
      };
      if (update == std::string("batch")) check(make_few, frames()), check(make_few, images);
    }
  }
}

/// How many sums have begun when.
TEST(Group, GradientsLeaveWhenTheyAreComplete) {
  const LearnerParts p = parts(blocks(true));
  const auto group = std::make_shared<ThreadGroup>(std::make_shared<Meeting>(1), 0, 1);
  GradientSums sums(group, *p.network, {0, p.network->blocks()});
  ASSERT_EQ(p.network->blocks(), 2);
  const auto sent = [&] { return group->traffic_since_last().messages; };
  const auto give = [&](int64_t block) {
    for (Tensor w : p.network->block_parameters(block)) w.mutable_grad() = torch::ones_like(w);
  };
  using Complete = GradientSums::Complete;
  for (const Complete when : {Complete::once_there, Complete::with_block, Complete::at_update}) {
    p.network->zero_grad(/*set_to_none=*/true);
    sums.begin(when);
    const bool early = when == Complete::once_there, by_block = when == Complete::with_block;
    give(0);
    sums.ready();
    EXPECT_EQ(sent(), early ? 1 : 0);
    give(1);
    sums.finished(1);  // from the top, as some orders have it: the first has to go before
    EXPECT_EQ(sent(), 0);
    sums.finished(0);
    sums.finished(0);
    EXPECT_EQ(sent(), by_block ? 2 : 0);
    sums.ready();
    EXPECT_EQ(sent(), early ? 1 : 0);
    sums.finish({torch::ones({})}, 1, 1);
    EXPECT_EQ(sent(), early || by_block ? 1 : 3);  // the losses, too
    for (const Tensor& w : p.network->block_parameters(1)) EXPECT_TRUE((w.grad() == 1).all().item<bool>());
  }
}

TEST(Group, FixedProjections) {
  for (const Config& signal : {Config{{"name", "dfa"}}, Config{{"name", "dfa"}, {"divide_by", "one"}},
                               Config{{"name", "dfa"}, {"send", "sign"}},
                               Config{{"name", "dfa"}, {"send", "sign"}, {"divide_by", "one"}},
                               Config{{"name", "drtp"}}, Config{{"name", "drtp"}, {"divide_by", "one"}}}) {
    SCOPED_TRACE(signal.dump());
    check(
        [&] {
          LearnerParts p = parts(blocks(false));
          p.signal = make<LearningSignal>(signal);
          return p;
        },
        frames());
  }
}

TEST(Group, ObjectivesThatAddUpSamples) {
  check([] { return parts(network(), {{"name", "whole"}}, "count"); }, frames());
}

TEST(Group, Regularizers) {
  for (const char* schedule : {"whole", "checkpointed"}) {
    check(
        [&] {
          LearnerParts p = parts(network(), {{"name", schedule}});
          p.regularizers = {make<Regularizer>({{"name", "rate"}, {"upper", 0.05}, {"lower", 0.02}}),
                            make<Regularizer>("voltage")};
          return p;
        },
        frames(true));
  }
}

TEST(Group, SharesOfAShare) {
  check(
      [] {
        LearnerParts p = parts(network());
        p.samples_at_once = 2;
        return p;
      },
      frames(true));
}

TEST(Group, NormsOverTheWholeBatch) {
  for (const Config& norm : {Config{{"name", "bn"}}, Config{{"name", "tdbn"}, {"scale", 0.7}},
                             Config{{"name", "bn"}, {"eps_outside", true}, {"eps", 0.1}}}) {
    SCOPED_TRACE(norm.dump());
    for (const char* schedule : {"whole", "checkpointed"}) {
      check(
          [&] {
            LearnerParts p = parts(network(norm), {{"name", schedule}});
            p.group_norms = true;
            return p;
          },
          frames());
    }
  }
}

// Each normalises by its own samples; what the running statistics follow is the mean over processes.
TEST(Group, OwnNormsKeepCommonStatistics) {
  const Batch batch = frames();
  std::vector<LearnerParts> all;
  for (int r = 0; r < 2; ++r) all.push_back(parts(network({{"name", "bn"}})));
  std::vector<Outcome> outcomes(2);
  in_group(2, [&](const std::shared_ptr<Group>& group) {
    const auto rank = static_cast<size_t>(group->rank());
    outcomes[rank] = train(
        all[rank], [&] { return part_of(batch, group->rank(), 2); }, group);
  });
  const Outcome whole = train(
      parts(network({{"name", "bn"}})), [&] { return batch; }, nullptr, 1);
  bool moved = false;
  for (size_t k = 0; k < outcomes[0].tensors.size(); ++k) {
    const auto& [name, tensor] = outcomes[0].tensors[k];
    EXPECT_TRUE(torch::equal(tensor, outcomes[1].tensors[k].second)) << name;
    moved =
        moved || (name.find("running_mean") != std::string::npos && tensor.abs().max().item<double>() > 1e-3);
  }
  EXPECT_TRUE(moved);
}

TEST(Group, OneRefusedUpdateIsRefusedByAll) {
  const Batch batch = frames();
  std::vector<LearnerParts> all = {parts(network()), parts(network())};
  std::vector<bool> finite(2, true);
  in_group(2, [&](const std::shared_ptr<Group>& group) {
    Learner learner(all[static_cast<size_t>(group->rank())]);
    learner.join(group);
    Batch own = part_of(batch, group->rank(), 2);
    if (group->rank() == 1) own.x = torch::full_like(own.x, std::nan(""));
    learner.pass(own, 0, [&](const Segment&, const BlockLosses& losses) {
      const double norm = grad_norm(named_parameters(learner.network())).item<double>();
      finite[static_cast<size_t>(group->rank())] =
          std::isfinite(norm) && std::isfinite(losses.back().item<double>());
      return false;
    });
  });
  EXPECT_FALSE(finite[0] || finite[1]);
}

TEST(Group, RefusesWhatProcessesDoNotTellEachOther) {
  const auto refusal = [](LearnerParts p) {
    return message_of<UsageError>([&] {
      in_group(2, [&](const std::shared_ptr<Group>& group) {
        if (group->rank() == 0) Learner(p).join(group);
      });
    });
  };
  EXPECT_NE(refusal(parts(network(), {{"name", "top_steps"}})).find("top_steps"), std::string::npos);
}

// Buckets go out from the top layer down while the backward pass is under way: what they carry is what an update of all at the end
// would, in several buckets too.
TEST(Group, LargeNetworksSendSeveralBuckets) {
  const auto make_parts = [] {
    auto net = std::make_shared<Network>(Shape{kIn});
    net->add(layer(400), true);
    net->add(layer(500), true);
    net->add(layer(kClasses), true);
    draw_weights(*net);
    return parts(net);
  };
  check(make_parts, frames());
  LearnerParts p = make_parts();
  const GradientSums sums(std::make_shared<ThreadGroup>(std::make_shared<Meeting>(1), 0, 1), *p.network,
                          {0, p.network->blocks()});
  int64_t bytes = 0, count = 0;
  for (const auto& [name, w] : trained_parameters(*p.network))
    bytes += static_cast<int64_t>(w.nbytes()), ++count;
  EXPECT_EQ(sums.bytes_per_update(), bytes + 8 * count);
}

}  // namespace spiketrain::group_test
