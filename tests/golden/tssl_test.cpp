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
#include "spiketrain/engine/gradients.h"
#include "spiketrain/ops/pool2d.h"
#include "spiketrain/ops/tssl_scan.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/golden_files.h"
#include "tests/support/neuron_cases.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::tssl_test {

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
    if (variant == "head") variant = "dec2020";  // the records' name for the latest code
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
  /// Every i for which there is a tensor named before + i + after, in order.
  std::vector<int64_t> indices(const std::string& before, const std::string& after) const {
    std::vector<int64_t> found;
    for (int64_t i = 0; i < 64; ++i) {
      if (has(before + std::to_string(i) + after)) found.push_back(i);
    }
    return found;
  }
  RuleP rule() const { return make<Rule>("tssl_bp", {{"variant", variant}}); }
  std::shared_ptr<Neuron> neuron() const {
    return make<Neuron>("psp_lif", {{"tau_m", tau_m}, {"tau_s", tau_s}, {"threshold", threshold}});
  }
};

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const double tolerance = reference.scalar_type() == torch::kDouble ? 1e-12 : 1e-5;
  const Tensor r = reference.to(torch::kDouble).flatten(), o = ours.detach().to(torch::kDouble).flatten();
  const double scale = 1.0 + r.abs().max().item<double>();
  EXPECT_LE((o - r).abs().max().item<double>() / scale, tolerance) << what;
}

Tensor weight_of(const Layer& layer) { return layer.connections()[0].synapse->weight(); }

/// A layer with weight W for inputs of shape `in`, its padding such that the maps come out with side
/// `out_side`; `out` becomes its shape.
std::shared_ptr<Layer> make_layer(const Case& c, const Tensor& W, const Shape& in, int64_t out_side,
                                  Shape& out) {
  Connection connection;
  if (W.dim() == 4) {
    const int64_t padding = (out_side - 1 + W.size(2) - in[1]) / 2;
    connection.synapse =
        make<Synapse>("conv2d", {{"channels", W.size(0)}, {"kernel", W.size(2)}, {"padding", padding}});
  } else {
    connection.synapse = make<Synapse>("linear", {{"features", W.size(0)}});
  }
  auto layer = std::make_shared<Layer>(std::vector<Connection>{connection}, c.neuron());
  out = layer->build({in});
  layer->to(c.type);
  torch::NoGradGuard no_grad;
  weight_of(*layer).copy_(W);
  return layer;
}

Shape sample_shape(const Tensor& x) { return {x.sizes().begin() + 2, x.sizes().end()}; }

Context training_context(const Case& c) {
  Context context;
  context.method.rule = c.rule();
  context.mode = Mode::train;
  return context;
}

Carry fresh_carry(size_t layers) {
  Carry carry;
  carry.state.resize(layers);
  carry.trace.resize(layers);
  carry.post_trace.resize(layers);
  return carry;
}

void check_layer(const Case& c) {
  const Tensor W = c.weight("W"), spikes = c.signal("spikes");
  const Tensor x = c.signal("in_psp").requires_grad_();
  Shape shape;
  auto layer = make_layer(c, W, sample_shape(x), c.side("spikes"), shape);
  int64_t slots = 0;
  layer->assign_slots(slots);
  Carry carry = fresh_carry(1);
  const Signal out = layer->forward({Signal::dense(x)}, training_context(c), carry);
  EXPECT_TRUE(torch::equal(out.spikes().dense(c.type).view_as(spikes), spikes)) << "spikes";
  expect_close(out.values(), c.signal("out_psp"), "out_psp");
  if (c.has("pool_out")) {
    const Tensor pooled = ops::window_sum(out.values(), 2, 1.1);
    expect_close(pooled, c.signal("pool_out"), "pool_out");
    pooled.backward(c.signal("grad_pool_out"));
  } else {
    out.values().backward(c.signal("grad_out"));
  }
  expect_close(x.grad(), c.signal("grad_in_psp"), "grad_in_psp");
  expect_close(weight_of(*layer).grad(), c.weight("grad_W"), "grad_W");
}

void check_neuron(const Case& c) {
  const Tensor I = c.signal("I"), spikes = c.signal("spikes");
  const auto neuron = c.neuron();
  const RuleP rule = c.rule();
  const auto record = run_all(*neuron, I, {}, rule->needs());
  EXPECT_TRUE(torch::equal(record->s.to(c.type), spikes)) << "spikes";
  expect_close(record->a, c.signal("out_psp"), "out_psp");
  expect_close(record->u, c.signal("u"), "u");
  expect_close(rule->credit(*neuron, *record, c.signal("grad_out"), {}).g, c.signal("grad_I"), "grad_I");
}

/// The layers of a network case.  Where pooling layers are stored too, they count among the activations, so a layer
/// has one number among the weights ("step0_W2") and another among the activations ("act4_I"); pooled activations
/// have no current.
struct Chain {
  struct Link {
    std::shared_ptr<Layer> layer;
    Shape shape;
    int64_t weight = 0, act = 0;  ///< numbers in the file
    bool pool = false;            ///< 2x2 pooling follows
  };
  std::vector<Link> links;

  std::string weight(size_t i) const { return "W" + std::to_string(links[i].weight); }
};

std::string act_name(int64_t number) { return "act" + std::to_string(number); }
bool is_stored_pooling(const Case& c, int64_t number) {
  return c.has(act_name(number) + "_psp") && !c.has(act_name(number) + "_I");
}

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

/// Whether 2x2 pooling follows link i: it is stored, or it makes the next layer's stored current.
bool pooled_after(const Case& c, const Chain& chain, size_t i) {
  if (is_stored_pooling(c, chain.links[i].act + 1)) return true;
  const Tensor a = c.signal(act_name(chain.links[i].act) + "_psp");
  if (a.dim() != 5 || a.size(-1) % 2 != 0 || i + 1 == chain.links.size()) return false;
  const Tensor W = c.weight("step0_" + chain.weight(i + 1));
  const std::string next = act_name(chain.links[i + 1].act) + "_I";
  return misfit(c, W, ops::window_sum(a, 2, 1.1), next) < misfit(c, W, a, next);
}

Chain make_chain(const Case& c) {
  const std::vector<int64_t> weights = c.indices("step0_W", ""), acts = c.indices("act", "_I");
  ST_CHECK(!weights.empty() && weights.size() == acts.size(), c.file.path(), ": ", weights.size(),
           " weights, but ", acts.size(), " currents");
  Chain chain;
  chain.links.resize(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    chain.links[i].weight = weights[i];
    chain.links[i].act = acts[i];
  }
  Shape in = sample_shape(c.signal("in_psp"));
  int64_t slots = 0;
  for (size_t i = 0; i < chain.links.size(); ++i) {
    Chain::Link& link = chain.links[i];
    const Tensor W = c.weight("step0_" + chain.weight(i));
    link.layer = make_layer(c, W, in, c.side(act_name(link.act) + "_I"), link.shape);
    link.layer->assign_slots(slots);
    link.pool = pooled_after(c, chain, i);
    in = link.shape;
    if (link.pool) in = {in[0], in[1] / 2, in[2] / 2};
  }
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
    // The loss has the gradient "output minus target", so the step tells the target that it used; it
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
    config = {{"name", "van_rossum"}, {"target", train}, {"filter", once ? "single" : "double"}};
  }
  auto objective = make<Objective>(config);
  objective->prepare({{classes}, T, {1, c.tau_s}});
  return objective;
}

/// The output of the chain for an input x, and whether it is as stored in the first pass if `compare`.
Signal forward(const Case& c, const Chain& chain, const Tensor& x, bool compare) {
  const Context context = training_context(c);
  Carry carry = fresh_carry(chain.links.size());
  Signal signal = Signal::dense(x);
  for (const Chain::Link& link : chain.links) {
    signal = link.layer->forward({signal}, context, carry);
    if (compare) {
      const Tensor spikes = c.signal(act_name(link.act) + "_spikes");
      EXPECT_TRUE(torch::equal(signal.spikes().dense(c.type).view_as(spikes), spikes))
          << link.act << " spikes";
      expect_close(signal.values(), c.signal(act_name(link.act) + "_psp"), act_name(link.act) + "_psp");
    }
    if (!link.pool) continue;
    signal = Signal::dense(ops::window_sum(signal.values(), 2, 1.1));
    const std::string pooled = act_name(link.act + 1) + "_psp";
    if (compare && is_stored_pooling(c, link.act + 1))
      expect_close(signal.values(), c.signal(pooled), pooled);
  }
  return signal;
}

/// One training step up to the gradients, against those stored under the prefix s.
void check_step(const Case& c, const Chain& chain, const Objective& objective, const Tensor& x,
                const std::string& s) {
  const int64_t T = x.size(0);
  const Tensor a = forward(c, chain, x, s == "step0_").values();
  a.retain_grad();
  expect_close(a, c.signal(s + "out_psp"), s + "out_psp");
  const Output out = {Signal::dense(a), {0, T}, T};
  const Tensor loss = objective.loss(out, {Target::Kind::class_index, c.raw("labels")});
  expect_close(loss.view({1}), c.raw(s + "loss"), s + "loss");
  EXPECT_TRUE(
      torch::equal(objective.prediction(objective.evidence(out), {}).argmax(1), c.raw(s + "predicted")))
      << s << "predicted";
  loss.backward();
  expect_close(a.grad(), c.signal(s + "grad_out"), s + "grad_out");
  for (size_t i = 0; i < chain.links.size(); ++i) {
    const std::string name = s + "grad" + chain.weight(i);
    expect_close(weight_of(*chain.links[i].layer).grad(), c.weight(name), name);
  }
}

void check_network(const Case& c) {
  const Chain chain = make_chain(c);
  const auto objective = make_objective(c, chain.links.back().shape[0], c.raw("inputs").size(4));
  NamedTensors parameters;
  std::vector<Tensor> weights;
  for (size_t i = 0; i < chain.links.size(); ++i) {
    weights.push_back(weight_of(*chain.links[i].layer));
    parameters.emplace_back(chain.weight(i), weights.back());
  }
  const double lr = c.raw("lr").item<double>();
  const auto optimizer = make<Optimizer>("adamw", {{"lr", lr}, {"weight_decay", 0.01}});
  optimizer->attach(parameters);
  const auto check_weights = [&](const std::string& prefix) {
    for (const auto& [name, W] : parameters) expect_close(W, c.weight(prefix + name), prefix + name);
  };

  Tensor carried;
  const Tensor x = ops::psp_scan(c.signal("inputs"), c.tau_s, carried);
  expect_close(x, c.signal("in_psp"), "in_psp");
  for (int64_t step = 0; c.has("step" + std::to_string(step) + "_loss"); ++step) {
    const std::string s = "step" + std::to_string(step) + "_";
    check_weights(s);
    check_step(c, chain, *objective, x, s);
    const double norm = grad_norm(parameters).item<double>();
    expect_close(torch::tensor({norm}, torch::kDouble), c.raw(s + "gradnorm"), s + "gradnorm");
    clip_grads(parameters, norm, 1.0);
    optimizer->step(lr);
    clamp_weights(weights, 4.0);
    optimizer->zero_grad();
  }
  check_weights("final_");
}

/// Without those of dropout, whose masks come from another generator than ours.
std::vector<std::string> compared_files() {
  std::vector<std::string> files = golden_files("tssl");
  const auto has_dropout = [](const std::string& path) {
    return fs::path(path).filename().string().find("dropout") != std::string::npos;
  };
  files.erase(std::remove_if(files.begin(), files.end(), has_dropout), files.end());
  return files;
}

TEST(TsslGolden, EveryFileIsMatched) {
  const std::vector<std::string> files = compared_files();
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

// A file whose pooling layer is stored as one of the activations: its number is no layer's.
TEST(TsslGolden, StoredPoolingIsNoLayer) {
  const TempDir dir;
  const std::string path = dir / "head_f32_pool.safetensors";
  const auto maps = [](int64_t C, int64_t side) { return torch::zeros({2, C, side, side, 5}); };
  const Tensor hyper = torch::tensor({5.0, 5.0, 3.0, 1.0}, torch::kDouble);
  const NamedTensors tensors = {
      {"hyper", hyper},       {"in_psp", maps(1, 6)},   {"step0_W0", torch::zeros({3, 1, 3, 3, 1})},
      {"act0_I", maps(3, 6)}, {"act0_psp", maps(3, 6)}, {"act1_psp", maps(3, 3)},
      {"act2_I", maps(4, 1)}, {"act2_psp", maps(4, 1)}, {"step0_W1", torch::zeros({4, 27})}};
  save_tensors(path, tensors, {{"variant", "head"}});
  const Chain chain = make_chain(Case(path));
  ASSERT_EQ(chain.links.size(), 2U);
  EXPECT_TRUE(chain.links[0].pool);
  EXPECT_EQ(chain.links[0].shape, (Shape{3, 6, 6}));
  EXPECT_FALSE(chain.links[1].pool);
  EXPECT_EQ(chain.links[1].act, 2);
  EXPECT_EQ(chain.links[1].shape, (Shape{4}));
}

}  // namespace spiketrain::tssl_test
