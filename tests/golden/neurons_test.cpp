// Every neuron against what SpikingJelly, snnTorch and Norse computed (golden/neurons), on the path by steps
// and on the fused one.  SPIKETRAIN_GOLDEN names a further file, or a folder of .jsonl files, of the same
// format.
//
// Tolerance: both sides compute in float32, in other orders of operations.  Spikes must be equal.  A membrane
// is a few roundings of numbers <= |u| away: 4 eps*(1+max|v|) of its record.  A gradient: the same, plus what
// a rounding of u does to the surrogate's derivative, eps*|u|*steepness of psi, relative to its size. Where
// the peer's gradient is not finite (snnTorch's sigmoid overflows) ours must be finite.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tests/support/neuron_cases.h"
#include "tests/support/peer_conventions.h"

namespace spiketrain::neurons_test {

struct Golden {
  std::string peer, where;
  Config cfg, gp;
  Tensor x, g, s, v, gx;
};

/// A list of numbers, in which null or NaN stand for "not finite".
Tensor numbers(const Config& list, at::IntArrayRef shape) {
  std::vector<float> values;
  for (const Config& value : list) {
    values.push_back(value.is_number() ? value.get<float>() : std::numeric_limits<float>::quiet_NaN());
  }
  return torch::tensor(values).reshape(shape);
}

/// JSON has no NaN; Python writes one all the same.
std::string without_nan(std::string line) {
  for (const char* word : {"-Infinity", "Infinity", "NaN"}) {
    for (size_t at; (at = line.find(word)) != std::string::npos;) {
      line.replace(at, std::string(word).size(), "null");
    }
  }
  return line;
}

std::vector<Golden> read_records(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  std::vector<Golden> records;
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    const Config json = Config::parse(without_nan(line));
    const std::vector<int64_t> shape = json["shape"];
    Golden r;
    r.peer = json["peer"];
    r.cfg = json["cfg"];
    r.gp = json.contains("gp") ? json["gp"] : Config();
    r.where = str(path, ":", records.size() + 1, " ", r.peer, " ", r.cfg.dump());
    r.x = numbers(json["x"], shape);
    r.g = numbers(json["g"], shape);
    r.s = numbers(json["s"], shape);
    r.v = numbers(json["v"], shape);
    r.gx = numbers(json["gx"], shape);
    records.push_back(r);
  }
  EXPECT_FALSE(records.empty()) << path;
  return records;
}

std::vector<Golden> all_records() {
  std::vector<Golden> records = read_records(ST_SOURCE_DIR "/golden/neurons/neurons.jsonl");
  const char* more = std::getenv("SPIKETRAIN_GOLDEN");
  if (more == nullptr || *more == '\0') return records;
  std::vector<std::string> files;
  if (std::filesystem::is_directory(more)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(more)) {
      if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
    }
  } else {
    files.push_back(more);
  }
  for (const std::string& file : files) {
    for (Golden& record : read_records(file)) records.push_back(record);
  }
  return records;
}

void expect_close(const Tensor& got, const Tensor& want, double tolerance, const char* what) {
  EXPECT_TRUE(torch::isfinite(got).all().item<bool>()) << what << " is not finite";
  const Tensor d = ((got - want).abs() / (1 + want.abs()));
  const Tensor known = d.masked_select(torch::isfinite(want));
  if (known.numel() == 0) return;
  EXPECT_LE(known.max().item<double>(), tolerance) << what;
}

/// fused: the neuron's own run and vjp; otherwise the definitions by steps.
void check(const Golden& r, bool fused) {
  SCOPED_TRACE(r.where + (fused ? " [run]" : " [step]"));
  const PeerNeuron peer = peer_neuron(r.peer, r.cfg);
  const Shape shape = {r.x.sizes().begin() + 2, r.x.sizes().end()};
  const std::shared_ptr<Neuron> neuron = make_neuron(peer.config, shape);
  const Stepped& steps = by_steps(*neuron);
  const auto record = record_of(*neuron, r.x);
  std::vector<Tensor> v;
  for (int64_t t = 0; t < r.x.size(0); ++t) {
    fused ? neuron->run(*record, {t, t + 1}) : steps.Stepped::run(*record, {t, t + 1});
    v.push_back(record->state[peer.v_state]);
  }
  const double eps = std::numeric_limits<float>::epsilon();
  const double size = 1 + r.v.abs().max().item<double>();
  if (record->s.defined()) {
    EXPECT_TRUE(torch::equal(output_of(*record), r.s)) << "spikes";
  } else {
    expect_close(record->a, r.s, 4 * eps, "output");
  }
  expect_close(torch::stack(v), r.v, 4 * eps * size, "membrane");
  const double tolerance = eps * size * (8 + peer.steepness);
  const Credit credit = fused ? neuron->vjp(*record, r.g, {}) : steps.Stepped::vjp(*record, r.g, {});
  expect_close(credit.g, r.gx, tolerance, "gradient of the input");
  const auto named = neuron->named_parameters();
  ASSERT_EQ(credit.g_params.size(), named.size());
  ASSERT_EQ(named.size(), r.gp.is_object() ? r.gp.size() : 0U) << "learned parameters";
  for (size_t k = 0; k < named.size(); ++k) {
    const double want = r.gp.at(named[k].key());
    expect_close(credit.g_params[k], torch::full({}, want), 2 * tolerance, named[k].key().c_str());
  }
}

/// A record that cannot be expressed is a failure of its own; the others are still checked.
void check_all(bool fused) {
  for (const Golden& r : all_records()) {
    try {
      check(r, fused);
    } catch (const std::exception& error) {
      ADD_FAILURE() << r.where << ": " << error.what();
    }
  }
}

TEST(GoldenNeurons, BySteps) { check_all(false); }
TEST(GoldenNeurons, Fused) { check_all(true); }

TEST(PeerConventions, DefaultsOfClassesWithoutARecord) {
  const auto expect_options = [](const std::string& peer, const Config& cfg, const Config& want) {
    const Config got = peer_neuron(peer, cfg).config;
    for (const auto& item : want.items())
      EXPECT_EQ(got.value(item.key(), Config()), item.value()) << item.key();
  };
  expect_options("spikingjelly", {{"cls", "EIFNode"}},
                 {{"name", "eif"}, {"tau_m", 2.0}, {"sharpness", 1.0}, {"theta_rh", 0.8}, {"v_reset", -0.1}});
  expect_options(
      "spikingjelly", {{"cls", "CUBALIFNode"}},
      {{"name", "cuba_lif"}, {"leak_syn", 0.5}, {"leak", 0.75}, {"threshold", 0.5}, {"surrogate", "rect"}});
  expect_options("snntorch", {{"cls", "Leaky"}, {"beta", 0.8}, {"surrogate", "SFS"}},
                 {{"surrogate", "sparse_fast_sigmoid"}});
  expect_options("spikingjelly", {{"cls", "LIFNode"}, {"surrogate", "nonzero_sign_log_abs"}},
                 {{"surrogate", "nonzero_sign_log_abs"}, {"surrogate_scale", 0.0}});
  expect_options(
      "norse", {{"cls", "LIFCell"}},
      {{"name", "cuba_lif"}, {"leak_syn", 0.8}, {"gain_syn", 1.0}, {"leak", 0.9}, {"strict", true}});
}

// Norse's own equations, of its functional/lif.py 1.1.0, one neuron in double.
TEST(PeerConventions, NorseLifCellByHand) {
  const double dt = 0.002, tau_syn_inv = 150, tau_mem_inv = 120, v_leak = 0.1, v_th = 0.6, v_reset = -0.2;
  const PeerNeuron peer = peer_neuron("norse", {{"cls", "LIFCell"},
                                                {"dt", dt},
                                                {"tau_syn_inv", tau_syn_inv},
                                                {"tau_mem_inv", tau_mem_inv},
                                                {"v_leak", v_leak},
                                                {"v_th", v_th},
                                                {"v_reset", v_reset}});
  const auto neuron = make_neuron(peer.config);
  torch::manual_seed(4);
  const Tensor x = torch::rand({60, 1, 1}, torch::kDouble);
  const auto record = record_of(*neuron, x);
  double v = v_leak, i = 0;
  int64_t spikes = 0;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const double i_jump = i + x[t].item<double>();
    const double v_decayed = v + dt * tau_mem_inv * ((v_leak - v) + i_jump);
    const bool z = v_decayed - v_th > 0;
    i = i_jump - dt * tau_syn_inv * i_jump;
    v = z ? v_reset : v_decayed;
    spikes += z;
    neuron->run(*record, {t, t + 1});
    EXPECT_EQ(record->s[t].item<int64_t>(), z ? 1 : 0) << t;
    EXPECT_NEAR(record->state[peer.v_state].item<double>(), v, 1e-13) << t;
  }
  EXPECT_GT(spikes, 5);
  EXPECT_LT(spikes, 55);
}

TEST(PeerConventions, UnknownIsAnError) {
  EXPECT_THROW(peer_neuron("nengo", {{"cls", "LIF"}}), UsageError);
  EXPECT_THROW(peer_neuron("snntorch", {{"cls", "Alpha"}}), UsageError);
  EXPECT_THROW(peer_neuron("spikingjelly", {{"cls", "IzhikevichNode"}}), UsageError);
  EXPECT_THROW(peer_neuron("snntorch", {{"cls", "Leaky"}, {"beta", 0.5}, {"inhibition", true}}), UsageError);
  EXPECT_THROW(peer_neuron("norse", {{"cls", "LIFBoxCell"}, {"method", "logistic"}}), UsageError);
}

}  // namespace spiketrain::neurons_test
