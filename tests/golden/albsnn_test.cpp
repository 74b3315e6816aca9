// Binary weights and what chooses their layers, against golden/related/albsnn_*: numbers of a reference program from the equations in the files' metadata.
// Within 1e-12 of the reference, relative to 1 + max |reference|; choices and bits are equal.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "spiketrain/core/weight_storage.h"
#include "spiketrain/train/binarizer.h"
#include "spiketrain/train/binary_choice.h"
#include "spiketrain/train/sign_flips.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"

namespace spiketrain::albsnn_golden_test {

void for_albsnn_records(const std::string& prefix, const std::function<void(const GoldenRecord&)>& check) {
  int64_t count = 0;
  for (const std::string& path : golden_files("related")) {
    if (std::filesystem::path(path).filename().string().rfind(prefix, 0) != 0) continue;
    SCOPED_TRACE(path);
    check(GoldenRecord(path));
    ++count;
  }
  EXPECT_GT(count, 0) << prefix;
}

TEST(GoldenAlbsnn, BinaryWeightsAndBothGradients) {
  for_albsnn_records("albsnn_binary_ste", [](const GoldenRecord& r) {
    const auto quantizer = make<Quantizer>("binary"),
               full = make<Quantizer>("binary", {{"backward", "full"}});
    const Tensor W = r.at("weight").requires_grad_(), g = r.at("grad_binary");
    const Tensor B = quantizer->apply(W);
    expect_golden(B, r.at("binary"), "binary");
    expect_golden(B.detach().abs().flatten(1).select(1, 0), r.at("alpha"), "alpha");
    expect_golden(torch::autograd::grad({B}, {W}, {g})[0], r.at("grad_identity"), "grad_identity");
    expect_golden(torch::autograd::grad({full->apply(W)}, {W}, {g})[0], r.at("grad_full"), "grad_full");
    const Tensor lost = (W - B).detach().square().flatten(1).sum(1),
                 all = W.detach().square().flatten(1).sum(1);
    expect_golden(lost / all, r.at("relative_error"), "relative_error");
    expect_golden(lost.sum() / all.sum(), r.at("layer_relative_error"), "layer_relative_error");
  });
}

/// The record's net: two hidden layers of LIF neurons, and the mean of the output over time.
std::shared_ptr<Network> estimator_network(const GoldenRecord& r) {
  const Config neuron = {{"name", "lif"}, {"leak", 0.5}, {"threshold", 0.5}, {"reset", "hard"}};
  NetworkContext context = make_context(neuron, {r.at("x").size(1)}, r.at("weight2").size(0));
  context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.0}}); };
  const auto network =
      make_spec(str(r.at("weight0").size(0), "-", r.at("weight1").size(0), "-", r.at("weight2").size(0)),
                context, {{"quantizer", "binary"}});
  network->to(torch::kDouble);
  for (int64_t l = 0; l < 3; ++l) {
    const auto all = network->named_parameters();
    set_from(r, str("weight", l), all[str(l, ".synapse.weight")]);
  }
  return network;
}

BinarizeOptions options_of(const std::string& choice, double budget) {
  BinarizeOptions options;
  options.choice = choice;
  options.budget = budget;
  return options;
}

TEST(GoldenAlbsnn, EstimatorsStorageAndChoice) {
  for_albsnn_records("albsnn_estimator", [](const GoldenRecord& r) {
    const auto network = estimator_network(r);
    const double budget = r.number("budget");
    const Binarizer binarizer(options_of("relative_error", budget), network, {}, {}, 1);  // turns all off
    const std::vector<double> errors = binarizer.costs(Training(), 0);
    expect_golden(torch::tensor(errors, torch::kDouble), r.at("relative_error"), "relative_error");

    const Learner learner(learner_parts(network, std::stoll(r.word("T")), "rate_ce"));
    Batch batch;
    batch.x = r.at("x");
    batch.target = {Target::Kind::class_index, r.at("label")};
    const auto loss = [&] { return learner.infer(batch).loss.item<double>(); };
    const double base = loss();
    expect_golden(torch::tensor(base, torch::kDouble), r.at("base_loss"), "base_loss");
    std::vector<double> increases;
    std::vector<ChoiceItem> items;
    const WeightStorage storage = weight_storage(*network);
    for (const StoredWeight& w : storage.weights) {
      w.quantizer->turn(true);
      increases.push_back(loss() - base);
      w.quantizer->turn(false);
      items.push_back({w.float_bits(), w.quantized_bits, increases.back()});
      const auto l = static_cast<int64_t>(items.size()) - 1;
      EXPECT_EQ(w.float_bits(), r.at("bits_float")[l].item<int64_t>());
      EXPECT_EQ(w.quantized_bits, r.at("bits_binary")[l].item<int64_t>());
    }
    expect_golden(torch::tensor(increases, torch::kDouble), r.at("loss_increase"), "loss_increase");

    EXPECT_EQ(storage.float_bits(), r.at("storage")[0].item<int64_t>());
    const std::vector<bool> chosen =
        choose_quantized(items, budget * static_cast<double>(storage.float_bits()));
    for (size_t l = 0; l < chosen.size(); ++l)
      EXPECT_EQ(chosen[l], r.at("chosen")[static_cast<int64_t>(l)].item<int64_t>() == 1) << l;
    EXPECT_EQ(bits_of(items, chosen), r.at("storage")[1].item<int64_t>());

    for (const StoredWeight& w : storage.weights) w.quantizer->turn(true);
    expect_golden(torch::tensor(loss() - base, torch::kDouble), r.at("increase_all"), "increase_all");
  });
}

/// The record's samples as a data set, which are floats.
class RecordDataset : public Dataset {
 public:
  explicit RecordDataset(const GoldenRecord& r)
      : x_(r.at("x").to(torch::kFloat).contiguous()),
        label_(r.at("label")),
        sample_(SampleSpec::image({x_.size(1)})) {}
  int64_t size() const override { return x_.size(0); }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t i) const override { return label_[i].item<int64_t>(); }
  void read(int64_t i, int64_t, void* out) const override {
    std::memcpy(out, x_[i].data_ptr(), x_[i].nbytes());
  }
  std::string describe() const override { return "record"; }

 private:
  Tensor x_, label_;
  SampleSpec sample_;
  TargetSpec target_ = TargetSpec::class_index(4);
};

/// What a training measures, on a network and samples in float32.
TEST(GoldenAlbsnn, MeasuredLossIncreases) {
  for_albsnn_records("albsnn_estimator", [](const GoldenRecord& r) {
    const auto network = estimator_network(r);
    network->to(torch::kFloat);
    const auto binarizer = std::make_shared<Binarizer>(options_of("loss_increase", r.number("budget")),
                                                       network, Binarizer::Stages(), Binarizer::Stages(), 1);
    Training training;
    training.learner = std::make_shared<Learner>(learner_parts(network, std::stoll(r.word("T")), "rate_ce"));
    training.data.train = training.data.validation = std::make_shared<RecordDataset>(r);
    training.options.batch = 5;  // the last is smaller: a mean over samples, not over batches
    const Tensor increases = torch::tensor(binarizer->costs(training, 0), torch::kDouble);
    EXPECT_LT((increases - r.at("loss_increase")).abs().max().item<double>(), 1e-6);
    const Binarizer::Change change = binarizer->begin_epoch(training, 1);
    EXPECT_TRUE(change.layers);
    for (size_t l = 0; l < 3; ++l)
      EXPECT_EQ(binarizer->candidates()[l].quantized(),
                r.at("chosen")[static_cast<int64_t>(l)].item<int64_t>() == 1);
    EXPECT_EQ(weight_storage(*network).bits(), r.at("storage")[1].item<int64_t>());
  });
}

TEST(GoldenAlbsnn, SignFlips) {
  for_albsnn_records("albsnn_sign_flip", [](const GoldenRecord& r) {
    const Tensor W = r.at("sign0").clone(), evidence = torch::zeros_like(W), grads = r.at("grads");
    Tensor before = W.clone();
    int64_t flips = 0;
    for (int64_t t = 0; t < grads.size(0); ++t) {
      const int64_t flipped =
          flip_signs(W, grads[t], evidence, r.number("gamma"), r.number("tau")).item<int64_t>();
      expect_golden(evidence, r.at("evidence")[t], str("evidence at ", t));
      EXPECT_TRUE(torch::equal(W, r.at("signs")[t])) << t;
      EXPECT_EQ(flipped, (W != before).sum().item<int64_t>());
      before = W.clone();
      flips += flipped;
    }
    EXPECT_GT(flips, 0);
  });
}

}  // namespace spiketrain::albsnn_golden_test
