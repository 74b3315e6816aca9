// The number of threads changes no bit: losses, outputs, gradients and statistics of every registered part, on sizes
// that LibTorch shares among its threads (at::internal::GRAIN_SIZE elements and more) and that no vector divides.
#include <gtest/gtest.h>
#include <omp.h>

#include "spiketrain/core/layer.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/reduce.h"
#include "spiketrain/ops/surrogate.h"
#include "spiketrain/ops/torch.h"
#include "spiketrain/train/probe.h"
#include "tests/support/blocks.h"
#include "tests/support/network_fixture.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny.h"

namespace spiketrain::threads_test {

constexpr int64_t kSteps = 3, kBatch = 67, kClasses = 211;

struct Case {
  Config neuron = {{"name", "lif"}, {"leak", 0.5}};
  Config readout = {{"name", "leaky_readout"}, {"leak", 0.5}};
  Config objective = {{"name", "tet_ce"}}, rule = {{"name", "bptt"}}, schedule = {{"name", "whole"}},
         options = Config::object(), regularizers = Config::array();
  std::string spec = "701-211", builder = "spec";
  Shape input = {61};
  int64_t classes = kClasses;
};

Case psp_case() {
  Case c;
  c.neuron = c.readout = {{"name", "psp_lif"}};
  c.objective = {{"name", "van_rossum"}, {"target", {0, 1, 1}}};
  return c;
}

/// Of a rule that has a neuron of its own.
Case own_case(const Config& neuron) {
  Case c;
  c.neuron = c.readout = neuron;
  c.objective = {{"name", "rate_ce"}};
  return c;
}

/// Of a rule that takes the gradient of counts.
Case count_case() {
  Case c;
  c.neuron = {{"name", "if"}};
  c.readout["leak"] = 0;
  c.objective = {{"name", "rate_ce"}};
  return c;
}

std::shared_ptr<Network> network_of(const Case& c) {
  NetworkContext context = make_context(c.neuron, c.input, c.classes);
  context.readout = [&c] { return make<Neuron>(c.readout); };
  Config builder = c.options;
  builder["name"] = c.builder;
  const auto network = c.builder == "spec" ? make_spec(c.spec, context, c.options)
                                           : make<NetworkBuilder>(builder)->build(context);
  network->initialise(3);
  return network;
}

/// What one training pass leaves behind.
NamedTensors outcome(const Case& c) {
  LearnerParts parts;
  parts.network = network_of(c);
  parts.method = {make<Rule>(c.rule)};
  parts.objective = make<Objective>(c.objective);
  parts.steps = kSteps;
  parts.schedule = make<Schedule>(c.schedule);
  for (const Config& regularizer : c.regularizers)
    parts.regularizers.push_back(make<Regularizer>(regularizer));
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = 2 * binary_input(kSteps, kBatch, c.input, 4);
  batch.target = {Target::Kind::class_index, torch::arange(kBatch).remainder(c.classes)};
  if (c.objective["name"] == "distillation") batch.target.teacher = torch::rand({kBatch, c.classes});
  const Learner learner(parts);
  const PassResult result = learner.pass(batch, 0);
  NamedTensors all = {{"loss", result.loss}, {"prediction", result.prediction}};
  for (const auto& item : parts.network->named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
    if (item.value().grad().defined()) all.emplace_back(item.key(), item.value().grad().clone());
  }
  for (const auto& item : parts.network->named_buffers()) all.emplace_back(item.key(), item.value());
  for (const auto& item : learner.state()) all.push_back(item);
  if (result.penalties.defined()) all.emplace_back("penalties", result.penalties);
  const PassResult inferred = learner.infer(batch);
  all.emplace_back("inferred loss", inferred.loss);
  all.emplace_back("inferred", inferred.prediction);
  return copy_of(all);
}

/// f() on 1, 2, 3 and 8 threads, and where the runtime may take fewer.
template <class F>
void expect_same_bits(const F& f) {
  const int threads = torch::get_num_threads();
  NamedTensors first;
  for (const int n : {1, 2, 3, 8, -8}) {
    torch::set_num_threads(std::abs(n));
    omp_set_dynamic(n < 0);
    torch::manual_seed(1);
    const NamedTensors now = f();
    if (first.empty()) first = now;
    EXPECT_TRUE(same_tensors(first, now)) << n << " threads";
  }
  omp_set_dynamic(0);
  torch::set_num_threads(threads);
}

void check(const Case& c) {
  expect_same_bits([&] { return outcome(c); });
}

TEST(Threads, EveryNeuron) {
  for (const std::string& name : Registry<Neuron>::get().names()) {
    SCOPED_TRACE(name);
    Case c;
    c.neuron = {{"name", name}};
    const Config options = make<Neuron>(c.neuron)->config();
    for (const char* steps : {"steps", "phases"})
      if (options.contains(steps)) c.neuron[steps] = kSteps;
    const bool complex = name.rfind("complex_", 0) == 0;
    if (complex) c.spec = "700-211";  // pairs of numbers, of either sign
    check(c);
    if (complex) continue;  // as readout: below
    c.readout = c.neuron;
    c.objective = {{"name", "rate_ce"}};
    check(c);
  }
}

TEST(Threads, FiltersOverTimeWithANormOnRowsAndMaps) {
  Case c;
  c.neuron = {
      {"name", "cw_psn"}, {"k", 2}, {"dilation", 2}, {"norm", "batch"}, {"quantizer", "power_of_two"}};
  check(c);
  c.neuron["norm"] = "none";
  check(c);
  c.spec = "37C3-P2-211";
  c.input = {2, 12, 12};
  for (const Config& neuron :
       {Config{{"name", "cw_psn"}, {"norm", "batch"}}, Config{{"name", "sliding_psn"}},
        Config{{"name", "psn"}, {"steps", kSteps}}, Config{{"name", "masked_psn"}, {"k", 2}}}) {
    SCOPED_TRACE(neuron.dump());
    c.neuron = neuron;
    check(c);
  }
}

TEST(Threads, LearnedAndPerNeuronCoefficients) {
  for (const char* per : {"layer", "neuron"}) {
    SCOPED_TRACE(per);
    Case c;
    c.neuron = {{"name", "lif"}, {"per", per}, {"learn_leak", true}, {"surrogate", "sigmoid"}};
    check(c);
    const ops::GenericOnly by_steps;
    check(c);
  }
}

/// Neurons that run by steps evaluate the surrogate in LibTorch.
TEST(Threads, EverySurrogate) {
  for (const std::string& surrogate : surrogate_names()) {
    SCOPED_TRACE(surrogate);
    Case c;
    c.neuron = {{"name", "cuba_lif"}, {"surrogate", surrogate}};
    check(c);
  }
}

TEST(Threads, EveryNormOnRowsAndMaps) {
  std::vector<Config> norms;
  for (const std::string& name : Registry<Norm>::get().names()) norms.push_back(Config{{"name", name}});
  norms.push_back(Config{{"name", "tdbn"}, {"eps_outside", true}});
  for (const Config& norm : norms) {
    SCOPED_TRACE(norm.dump());
    Case c;
    c.options["norm"] = norm;
    check(c);
    c.spec = "701C5-211";  // 1x1 maps
    c.input = {2, 5, 5};
    check(c);
    c.spec = "37C3-P2-211";
    c.input = {2, 12, 12};
    check(c);
    c.spec = "1C3-211";
    check(c);
  }
}

TEST(Threads, EverySynapseWithBias) {
  ASSERT_EQ(Registry<Synapse>::get().names(),
            (std::vector<std::string>{"complex_conv", "complex_linear", "conv", "conv2d", "delayed_linear",
                                      "linear", "one_to_one"}))
      << "conv, complex ones: below";
  for (const char* spec : {"37C3-P2-301-211", "1C5-211", "6C3R3-67R1-211", "67-211, delayed"}) {
    SCOPED_TRACE(spec);
    const std::string layers = spec;
    Case c;
    c.input = {2, 12, 12};
    c.spec = layers.substr(0, layers.find(','));
    c.options["bias"] = true;
    if (c.spec != layers) c.options["longest_delay"] = 3;
    check(c);
    c.options["quantizer"] = {{"name", "uniform"}, {"bits", 1}};
    check(c);
  }
}

/// Analog, and as spikes of a signed code.
TEST(Threads, HarmonicRetrieval) {
  const Config digits = {{"phases", kSteps}};
  const auto part = [](const char* name, Config options) {
    options["name"] = name;
    return options;
  };
  for (const bool coded : {false, true}) {
    SCOPED_TRACE(coded);
    Case c;
    c.builder = "slista";
    c.input = {coded ? 4 : 2, 31};
    c.options = {{"layers", 3}, {"grid", {101}}};
    c.neuron = coded ? part("complex_few_spikes", digits) : part("complex_shrink", Config::object());
    c.readout = coded ? part("complex_few_spikes_readout", digits) : c.neuron;
    c.classes = 202;
    check(c);
  }
}

TEST(Threads, ConvolutionsInGroups) {
  const auto layer = [](const char* synapse, const Config& options) {
    Connection c;
    c.synapse = make<Synapse>(synapse, options);
    return std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("lif"));
  };
  expect_same_bits([&] {
    Network network(Shape{4, 12, 11});
    network.add(
        layer("conv",
              {{"channels", 38}, {"kernel", {3, 2}}, {"groups", 2}, {"dilation", {2, 1}}, {"bias", true}}),
        /*new_unit=*/true);
    network.add(layer("linear", {{"features", kClasses}}), /*new_unit=*/true);
    network.initialise(3);
    Context context;
    context.method = {make<Rule>("bptt")};
    context.mode = Mode::train;
    Carry carry = network.start();
    const Tensor x = (2 * binary_input(kSteps, kBatch, {4, 12, 11}, 4)).to(torch::kFloat).requires_grad_();
    const Tensor y = network.forward(Signal::dense(x), context, carry).values();
    y.sum().backward();
    NamedTensors all = {{"y", y.detach()}, {"x", x.grad()}};
    for (const auto& item : network.named_parameters())
      all.emplace_back(item.key(), item.value().grad().clone());
    return copy_of(all);
  });
}

TEST(Threads, EveryRule) {
  for (const std::string& name : Registry<Rule>::get().names()) {
    int64_t fitting = 0;
    const RuleP rule = make<Rule>({{"name", name}});
    std::vector<Case> list = {psp_case(), reads_counts(name) ? count_case() : Case()};
    if (!rule->neuron().is_null()) list.push_back(own_case(rule->neuron()));
    for (Case& c : list) {
      c.rule = {{"name", name}};
      const auto neuron = make<Neuron>(c.neuron);
      neuron->build({1});
      if (!compatible(*rule, *neuron)) continue;
      ++fitting;
      SCOPED_TRACE(name + " with " + neuron->part_name());
      check(c);
      c.options["weight_standardisation"] = true;
      c.options["output_scale"] = 2.74;
      check(c);
    }
    EXPECT_GE(fitting, 1) << name;
  }
}

TEST(Threads, EverySchedule) {
  for (const std::string& name : Registry<Schedule>::get().names()) {
    SCOPED_TRACE(name);
    Case c;
    c.schedule = {{"name", name}};
    check(c);
    if (name != "skipper") continue;
    c.schedule["mode"] = "mask";
    check(c);
  }
}

TEST(Threads, EveryRegularizer) {
  for (const std::string& name : Registry<Regularizer>::get().names()) {
    for (const char* rule : {"bptt", "ottt"}) {
      SCOPED_TRACE(name + " " + rule);
      Case c;
      c.rule = {{"name", rule}};
      c.regularizers = {{{"name", name}, {"lower", 0.1}, {"upper", 0.1}}};
      check(c);
    }
  }
}

TEST(Threads, EveryObjective) {
  for (const std::string& name : Registry<Objective>::get().names()) {
    SCOPED_TRACE(name);
    if (make<Objective>(name.c_str())->targets()[0] != Target::Kind::class_index)
      continue;  // of rate_bce as of rate_ce
    Case c = psp_case();
    c.objective = {{"name", name}};
    if (name == "van_rossum") c.objective = psp_case().objective;
    check(c);
  }
}

/// What blocks learn from, every hidden layer by itself: heads that pool maps and vectors to a grid, direct feedback.
TEST(Threads, LearningSignals) {
  const char* const signals[] = {"head={weights='square_wave', grid=3}", "learning_signal=dfa",
                                 "learning_signal={name='dfa', send='sign', divide_by='one'}",
                                 "learning_signal=drtp"};
  for (const char* signal : signals) {
    SCOPED_TRACE(signal);
    expect_same_bits([&] {
      const Experiment e = tiny_experiment({"network.spec=16C3-P2-2000-4", "steps=6", "neuron=lif",
                                            "rule=s_tllr", "rules.readout=sltt", "objective=tet_ce",
                                            "blocks={size=1, output='apart'}", signal});
      e.training.learner->pass(tiny_batch(), 0);
      return gradients(e.training.learner->network());
    });
  }
}

TEST(Threads, GradientCosines) {
  expect_same_bits([] {
    const Experiment e = tiny_experiment({"network.spec=16C3-2000-4", "steps=6", "neuron=lif", "rule=bptt",
                                          "objective=rate_ce", "schedule={name='truncated', window=2}"});
    Tensor cosines = torch::zeros({3}, torch::kDouble);
    int64_t k = 0;
    for (const LayerCosine& row : gradient_cosines(e.training, 8)) cosines[k++] = row.cosine;
    EXPECT_EQ(k, 3);
    return NamedTensors{{"cosines", cosines}};
  });
}

/// Against LibTorch on one thread, in exact arithmetic.
TEST(Threads, SumTo) {
  const Tensor x = binary_input(5, 67, {7, 9, 11}, 8);
  for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{},
                                            {7, 1, 1},
                                            {7, 9, 11},
                                            {1, 1, 11},
                                            {67, 7, 9, 11},
                                            {5, 67, 7, 9, 11},
                                            {1, 67, 7, 9, 11}}) {
    EXPECT_TRUE(torch::equal(ops::sum_to(x, sizes), at::sum_to(x, sizes))) << at::IntArrayRef(sizes);
    EXPECT_EQ(ops::sum_to(x, sizes).sizes(), at::IntArrayRef(sizes));
  }
  expect_same_bits([&] {
    return NamedTensors{{"sum", ops::sum_to(x / 3, {})}, {"rows", ops::sum_to(x / 3, {11})}};
  });
}

}  // namespace spiketrain::threads_test
