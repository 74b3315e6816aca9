// Rule event_prop against public discrete-time code, golden/rules/eventprop_{lolemacs,norse}_* and every further file of these
// rules in the folder that SPIKETRAIN_GOLDEN names: membranes, spikes, the error that reaches each layer, and the gradients of
// weights and input, in float64 to 1e-12 relative to 1 + max |reference|.  In the lolemacs code a layer shows two steps later
// what its input made of it, so that layer l here is 2 l steps early, and what reaches the last of its steps lies beyond ours.  There
// errors are dL/d(time of a spike), here dL/d(spike): the other sign.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/golden_files.h"

namespace spiketrain::event_prop_steps_golden_test {

constexpr double kTolerance = 1e-12;

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.sizes(), reference.sizes()) << what;
  const double scale = 1.0 + reference.abs().max().item<double>();
  EXPECT_LE((ours.detach() - reference).abs().max().item<double>() / scale, kTolerance) << what;
}

struct Record {
  SafetensorsFile file;
  bool norse() const { return word("rule") == "EventProp (discrete, Norse)"; }
  std::string word(const char* key) const { return file.metadata().at(key); }
  double number(const char* key) const { return std::stod(word(key)); }
  Tensor at(const std::string& name) const { return to_tensor(file.at(name)); }
  std::vector<int64_t> dims() const {
    return Config::parse(word("net")).at("dims").get<std::vector<int64_t>>();
  }
  int64_t layers() const { return static_cast<int64_t>(dims().size()) - 1; }
  /// Steps that pass in the code between the input of the net and what layer l shows.
  int64_t late(int64_t l) const { return norse() ? 0 : 2 * l; }
  double sign() const { return norse() ? 1 : -1; }
  /// Array `name` of layer l at our steps.
  Tensor of_layer(const char* name, int64_t l, int64_t steps) const {
    return at(str(name, l)).slice(0, late(l), late(l) + steps);
  }
};

std::shared_ptr<Network> network_of(const Record& r) {
  const std::vector<int64_t> dims = r.dims();
  auto network = std::make_shared<Network>(Shape{dims[0]});
  for (int64_t l = 1; l <= r.layers(); ++l) {
    Connection c;
    c.synapse = make<Synapse>("linear", {{"features", dims[static_cast<size_t>(l)]}});
    const Config neuron = {{"leak", 1 - 1 / r.number("tau_m")},
                           {"leak_syn", 1 - 1 / r.number("tau_s")},
                           {"decay_input", true},
                           {"reset", "hard"},
                           {"strict", true},
                           {"detach_reset", true}};
    network->add(std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("cuba_lif", neuron)), true);
  }
  network->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  for (int64_t l = 1; l <= r.layers(); ++l)
    network->named_parameters()[str(l - 1, ".synapse.weight")].copy_(r.at(str("W", l)));
  return network;
}

/// min_slope = 0: divisors as they come.
RuleP rule_of(const Record& r) {
  return make<Rule>("event_prop", {{"form", r.norse() ? "norse" : "adjoint_pair"}, {"min_slope", 0}});
}

/// Runs `x` in segments of so many steps, credit crossing from one to the next, and compares with the record.
void check(const Record& r, int64_t window) {
  const int64_t L = r.layers(), T = r.at("x").size(0) - r.late(L);
  const auto network = network_of(r);
  Context context;
  context.mode = Mode::train;
  context.method = {rule_of(r)};
  Carry carry = network->start();
  const Tensor x = r.at("x").slice(0, 0, T).clone().requires_grad_();
  std::vector<Tensor> tops;
  std::vector<std::vector<Tensor>> edges(static_cast<size_t>(L)), spikes(edges.size());
  for (int64_t t = 0; t < T; t += window) {
    Signal shown = Signal::dense(x.slice(0, t, std::min(T, t + window)));
    for (int64_t l = 0; l < L; ++l) {
      const auto at = static_cast<size_t>(l);
      shown = network->nodes()[at].stage->forward({shown}, context, carry);
      shown.edge().retain_grad();
      edges[at].push_back(shown.edge());
      spikes[at].push_back(shown.spikes().dense(torch::kDouble));
    }
  }
  const Tensor error = r.norse() ? r.at("upstream") : r.sign() * r.of_layer("g", L, T);
  std::vector<Tensor> errors;
  for (int64_t t = 0; t < T; t += window)
    errors.push_back(error.slice(0, t, std::min(T, t + window)).contiguous());
  torch::autograd::backward(edges.back(), errors);
  for (int64_t l = 1; l <= L; ++l) {
    const auto at = static_cast<size_t>(l - 1);
    const Tensor s = torch::cat(spikes[at]);
    EXPECT_GT(s.sum().item<double>(), 0) << "s" << l;
    EXPECT_TRUE(torch::equal(s, r.of_layer("s", l, T))) << "s" << l;
    std::vector<Tensor> reached;
    for (const Tensor& edge : edges[at]) reached.push_back(edge.grad());
    expect_close(r.sign() * torch::cat(reached), r.of_layer("g", l, T), str("g", l));
    expect_close(network->named_parameters()[str(l - 1, ".synapse.weight")].grad(), r.at(str("grad_W", l)),
                 str("grad_W", l));
  }
  if (!r.norse()) expect_close(-x.grad(), r.at("grad_x").slice(0, 0, T), "grad_x");
}

TEST(EventPropStepsGolden, PublicCode) {
  int64_t norse = 0, lolemacs = 0;
  for (const std::string& path : golden_files("rules")) {
    const Record record{SafetensorsFile::open(path)};
    const auto rule = record.file.metadata().find("rule");
    if (rule == record.file.metadata().end() || rule->second.find("EventProp (discrete, ") != 0) continue;
    SCOPED_TRACE(path);
    for (const int64_t window : {100, 5, 1}) check(record, window);
    ++(record.norse() ? norse : lolemacs);
  }
  EXPECT_GE(norse, 1) << "golden/rules lacks eventprop_norse_2layer";
  EXPECT_GE(lolemacs, 2) << "golden/rules lacks eventprop_lolemacs_*";
}

}  // namespace spiketrain::event_prop_steps_golden_test
