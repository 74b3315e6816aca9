// TSSL-BP against the authors' code, through layers, losses, clipping and AdamW: golden/tssl, and every
// further file of the same kind in the folder that SPIKETRAIN_GOLDEN names (or its tssl/).  What a file holds
// is told by its tensors:
//   "inputs"             a network trained for some steps      "W" + "pool_out"   convolution and pooling
//   "W"                  one layer                             "I"                the neuron alone
// Spikes are identical; everything else is within 1e-5 (float32) or 1e-12 (float64) of the reference,
// relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/ops.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/optimizer.h"

namespace spiketrain {
namespace {

namespace fs = std::filesystem;

struct Case {
  SafetensorsFile file;
  std::string variant;
  torch::ScalarType type;
  double tau_m, tau_s, threshold;

  explicit Case(const std::string& path) : file(SafetensorsFile::open(path)) {
    variant = file.metadata().count("variant") ? file.metadata().at("variant")
                                               : fs::path(path).filename().string().substr(
                                                     0, fs::path(path).filename().string().find('_'));
    const Tensor hyper = to_tensor(file.at("hyper"));
    tau_m = hyper[1].item<double>();
    tau_s = hyper[2].item<double>();
    threshold = hyper[3].item<double>();
    for (const TensorEntry& entry : file.entries()) {
      if (entry.name == "hyper" || entry.name == "lr" || entry.dtype[0] != 'F') continue;
      type = entry.dtype == "F64" ? torch::kDouble : torch::kFloat;
      break;
    }
  }
  bool has(const std::string& name) const { return file.find(name) != nullptr; }
  Tensor raw(const std::string& name) const { return to_tensor(file.at(name)); }
  /// [N,C,H,W,T] -> [T,N,C,H,W], or [T,N,C] if H = W = 1.
  Tensor signal(const std::string& name) const {
    Tensor x = raw(name).permute({4, 0, 1, 2, 3}).contiguous();
    return x.size(3) == 1 && x.size(4) == 1 ? x.flatten(2) : x;
  }
  /// Side of the maps of a stored [N,C,H,W,T].
  int64_t side(const std::string& name) const { return raw(name).size(3); }
  /// [Cout,Cin,k,k,1] -> [Cout,Cin,k,k]; [out,in] stays.
  Tensor weight(const std::string& name) const {
    const Tensor W = raw(name);
    return W.dim() == 5 ? W.squeeze(4) : W;
  }
  RuleP rule() const { return Registry<Rule>::get().make({{"name", "tssl_bp"}, {"variant", variant}}); }
  std::shared_ptr<Neuron> neuron() const {
    return Registry<Neuron>::get().make(
        {{"name", "psp_lif"}, {"tau_m", tau_m}, {"tau_s", tau_s}, {"threshold", threshold}});
  }
};

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const double tolerance = reference.scalar_type() == torch::kDouble ? 1e-12 : 1e-5;
  const Tensor r = reference.to(torch::kDouble).flatten(), o = ours.detach().to(torch::kDouble).flatten();
  const double scale = 1.0 + r.abs().max().item<double>();
  EXPECT_LE((o - r).abs().max().item<double>() / scale, tolerance) << what;
}

/// A layer with weight W for inputs of shape `in`, its padding such that the maps come out with side
/// `out_side`.
std::shared_ptr<Layer> make_layer(const Case& c, const Tensor& W, const Shape& in, int64_t out_side) {
  std::shared_ptr<Synapse> synapse;
  if (W.dim() == 4) {
    const int64_t padding = (out_side - 1 + W.size(2) - in[1]) / 2;
    synapse = Registry<Synapse>::get().make(
        {{"name", "conv2d"}, {"channels", W.size(0)}, {"kernel", W.size(2)}, {"padding", padding}});
  } else {
    synapse = Registry<Synapse>::get().make({{"name", "linear"}, {"features", W.size(0)}});
  }
  auto layer = std::make_shared<Layer>(synapse, nullptr, c.neuron(), in);
  layer->to(c.type);
  torch::NoGradGuard no_grad;
  layer->synapse->weight().copy_(W);
  return layer;
}

Shape sample_shape(const Tensor& x) { return {x.sizes().begin() + 2, x.sizes().end()}; }

Pass one_layer_pass(const Case& c) {
  Pass pass;
  pass.rule = c.rule();
  pass.train = true;
  pass.state.resize(1);
  return pass;
}

void check_layer(const Case& c) {
  const Tensor W = c.weight("W"), spikes = c.signal("spikes");
  const Tensor x = c.signal("in_psp").requires_grad_();
  auto layer = make_layer(c, W, sample_shape(x), c.side("spikes"));
  int64_t slots = 0;
  layer->assign_slots(slots);
  Pass pass = one_layer_pass(c);
  const Signal out = layer->forward({x, {}, {}}, pass);
  EXPECT_TRUE(torch::equal(out.s.dense(c.type).view_as(spikes), spikes)) << "spikes";
  expect_close(out.a, c.signal("out_psp"), "out_psp");
  if (c.has("pool_out")) {
    const Tensor pooled = ops::window_sum(out.a, 2, 1.1);
    expect_close(pooled, c.signal("pool_out"), "pool_out");
    pooled.backward(c.signal("grad_pool_out"));
  } else {
    out.a.backward(c.signal("grad_out"));
  }
  expect_close(x.grad(), c.signal("grad_in_psp"), "grad_in_psp");
  expect_close(layer->synapse->weight().grad(), c.weight("grad_W"), "grad_W");
}

void check_neuron(const Case& c) {
  const Tensor I = c.signal("I"), spikes = c.signal("spikes");
  Tape tape;
  auto neuron = c.neuron();
  tape.I = I;
  tape.in = neuron->initial(I.sizes().slice(1), I.options());
  tape.record = true;
  const RuleP rule = c.rule();
  tape.needs = rule->needs();
  neuron->run(tape);
  EXPECT_TRUE(torch::equal(tape.s.dense(c.type), spikes)) << "spikes";
  expect_close(tape.a, c.signal("out_psp"), "out_psp");
  expect_close(tape.u, c.signal("u"), "u");
  expect_close(rule->credit(*neuron, tape, c.signal("grad_out"), {}).g, c.signal("grad_I"), "grad_I");
}

/// The layers of a network case, told from its weights and activations, and whether 2x2 pooling follows each.
struct Chain {
  std::vector<std::shared_ptr<Layer>> layers;
  std::vector<bool> pool;
};

/// How far the current that weight W makes of `x` [T,N,*] is from the stored current `name`; infinite if the
/// shapes do not fit.
double misfit(const Case& c, const Tensor& W, const Tensor& x, const std::string& name) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  const Tensor want = c.signal(name).flatten(0, 1).flatten(1);
  Tensor got;
  if (W.dim() == 2) {
    if (x[0][0].numel() != W.size(1)) return kNever;
    got = torch::linear(x.flatten(0, 1).flatten(1), W);
  } else {
    const int64_t twice = c.side(name) - 1 + W.size(2) - x.size(-1);
    if (x.dim() != 5 || twice < 0 || twice % 2 != 0) return kNever;
    got = torch::conv2d(x.flatten(0, 1), W, {}, 1, twice / 2).flatten(1);
  }
  if (!got.sizes().equals(want.sizes())) return kNever;
  return (got - want).abs().max().item<double>();
}

/// Whether 2x2 pooling lies between layer i and the next: which of the two makes the next layer's stored
/// current.
bool pooled_after(const Case& c, int64_t i) {
  const std::string next = std::to_string(i + 1);
  const Tensor a = c.signal("act" + std::to_string(i) + "_psp");
  if (a.dim() != 5 || a.size(-1) % 2 != 0 || !c.has("step0_W" + next)) return false;
  const Tensor W = c.weight("step0_W" + next);
  return misfit(c, W, ops::window_sum(a, 2, 1.1), "act" + next + "_I") < misfit(c, W, a, "act" + next + "_I");
}

Chain make_chain(const Case& c) {
  Chain chain;
  Shape in = sample_shape(c.signal("in_psp"));
  for (int64_t i = 0; c.has("step0_W" + std::to_string(i)); ++i) {
    const std::string n = std::to_string(i);
    chain.layers.push_back(make_layer(c, c.weight("step0_W" + n), in, c.side("act" + n + "_I")));
    in = chain.layers.back()->out_shape();
    chain.pool.push_back(pooled_after(c, i));
    if (chain.pool.back()) in = {in[0], in[1] / 2, in[2] / 2};
  }
  int64_t slots = 0;
  for (auto& layer : chain.layers) layer->assign_slots(slots);
  return chain;
}

/// Takes one PSP filter off a train [T].
Tensor unfiltered(const Tensor& psp, double tau_s) {
  const Tensor before = torch::cat({torch::zeros({1}, psp.options()), psp.slice(0, 0, -1)});
  return (psp - before) * tau_s + before;
}

bool is_train(const Tensor& x) { return ((x - x.round()).abs() < 1e-3).all().item<bool>(); }

/// The objective a network case was trained with, told from the target that its step 0 used.
std::shared_ptr<Objective> make_objective(const Case& c, int64_t classes, int64_t T) {
  const Tensor arg = c.raw("step0_target_arg").to(torch::kDouble);
  const Tensor label = c.raw("labels");
  Config config;
  if (c.file.path().find("count") != std::string::npos) {
    config = {
        {"name", "count"}, {"desired", arg.max().item<double>()}, {"undesired", arg.min().item<double>()}};
  } else {
    // The kernel loss has the gradient "output minus target", so the step tells the target that it used; it
    // is the label's train, filtered once or twice.
    const int64_t label0 = label[0].item<int64_t>();
    Tensor row = (c.signal("step0_out_psp") - c.signal("step0_grad_out"))
                     .select(1, 0)
                     .select(1, label0)
                     .to(torch::kDouble);
    row = unfiltered(row, c.tau_s);
    const bool once = is_train(row);
    if (!once) row = unfiltered(row, c.tau_s);
    ST_CHECK(is_train(row), c.file.path(), ": the target is no train filtered once or twice");
    std::vector<int64_t> train;
    for (int64_t t = 0; t < T; ++t) train.push_back(std::lround(row[t].item<double>()));
    config = {{"name", "kernel"}, {"target", train}, {"filter", once ? "single" : "double"}};
  }
  auto objective = Registry<Objective>::get().make(config);
  objective->prepare({classes, T, true, c.tau_s});
  return objective;
}

void check_first_pass(const Case& c, size_t i, const Signal& out) {
  const std::string act = "act" + std::to_string(i);
  const Tensor spikes = c.signal(act + "_spikes");
  EXPECT_TRUE(torch::equal(out.s.dense(c.type).view_as(spikes), spikes)) << act << " spikes";
  expect_close(out.a, c.signal(act + "_psp"), act + "_psp");
}

void check_network(const Case& c) {
  const Chain chain = make_chain(c);
  const Tensor labels = c.raw("labels");
  const int64_t T = c.raw("inputs").size(4), classes = chain.layers.back()->out_shape()[0];
  auto objective = make_objective(c, classes, T);
  OptimizerOptions options;
  options.lr = c.raw("lr").item<double>();
  options.weight_decay = 0.01;
  NamedTensors parameters;
  std::vector<Tensor> weights;
  for (size_t i = 0; i < chain.layers.size(); ++i) {
    weights.push_back(chain.layers[i]->synapse->weight());
    parameters.emplace_back("W" + std::to_string(i), weights.back());
  }
  Optimizer optimizer(options, parameters);

  Tensor carried;
  const Tensor x = ops::psp_scan(c.signal("inputs"), c.tau_s, carried);
  expect_close(x, c.signal("in_psp"), "in_psp");
  for (int64_t step = 0; c.has("step" + std::to_string(step) + "_W0"); ++step) {
    const std::string s = "step" + std::to_string(step) + "_";
    for (size_t i = 0; i < weights.size(); ++i) {
      expect_close(weights[i], c.weight(s + "W" + std::to_string(i)), s + "W" + std::to_string(i));
    }
    Pass pass = one_layer_pass(c);
    pass.state.resize(chain.layers.size());
    Signal signal = {x, {}, {}};
    for (size_t i = 0; i < chain.layers.size(); ++i) {
      signal = chain.layers[i]->forward(signal, pass);
      if (step == 0) check_first_pass(c, i, signal);
      if (chain.pool[i]) signal = {ops::window_sum(signal.a, 2, 1.1), {}, {}};
    }
    signal.a.retain_grad();
    expect_close(signal.a, c.signal(s + "out_psp"), s + "out_psp");
    const Tensor loss = objective->loss(signal.a, labels, {0, T, true});
    expect_close(loss.view({1}), c.raw(s + "loss"), s + "loss");
    EXPECT_TRUE(torch::equal(objective->scores(signal.a).argmax(1), c.raw(s + "predicted")))
        << s << "predicted";
    loss.backward();
    expect_close(signal.a.grad(), c.signal(s + "grad_out"), s + "grad_out");
    for (size_t i = 0; i < weights.size(); ++i) {
      expect_close(weights[i].grad(), c.weight(s + "gradW" + std::to_string(i)),
                   s + "gradW" + std::to_string(i));
    }
    const double norm = grad_norm(parameters).item<double>();
    expect_close(torch::tensor({norm}, torch::kDouble), c.raw(s + "gradnorm"), s + "gradnorm");
    clip_grads(parameters, norm, 1.0);
    optimizer.step(options.lr);
    clamp_weights(weights, 4.0);
    optimizer.zero_grad();
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    expect_close(weights[i], c.weight("final_W" + std::to_string(i)), "final_W" + std::to_string(i));
  }
}

std::vector<std::string> golden_files() {
  std::vector<std::string> files;
  std::vector<std::string> folders = {std::string(ST_SOURCE_DIR) + "/golden/tssl"};
  if (const char* more = std::getenv("SPIKETRAIN_GOLDEN")) {
    folders.push_back(more);
    folders.push_back(std::string(more) + "/tssl");
  }
  for (const std::string& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() == ".safetensors" && name.find("dropout") == std::string::npos) {
        files.push_back(entry.path().string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(TsslGolden, EveryFileIsMatched) {
  const std::vector<std::string> files = golden_files();
  ASSERT_GE(files.size(), 16U);
  for (const std::string& path : files) {
    SCOPED_TRACE(path);
    const Case c(path);
    if (c.has("inputs")) {
      check_network(c);
    } else if (c.has("W")) {
      check_layer(c);
    } else {
      check_neuron(c);
    }
  }
}

}  // namespace
}  // namespace spiketrain
