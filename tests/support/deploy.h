// Small networks for tests of exports, what they do on random inputs, and files written out.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/deploy/c_export.h"
#include "spiketrain/deploy/read_network.h"
#include "tests/support/process.h"

namespace spiketrain {

/// A network in the notation of the papers.
struct DeployCase {
  std::string name, spec;
  Shape input = {2, 9, 9};
  Config options = Config::object(), neuron = {{"name", "lif"}},
         readout = {{"name", "leaky_readout"}, {"leak", 0.9}};
};

/// With initial weights, large enough that most layers fire, and norms whose running statistics are not the initial ones.
inline std::shared_ptr<Network> build(const DeployCase& of) {
  NetworkContext context;
  context.input = of.input;
  context.output = {3};
  context.neuron = [&] { return make<Neuron>(of.neuron); };
  context.readout = [&] { return make<Neuron>(of.readout); };
  Config options = of.options;
  options["name"] = "spec";
  options["spec"] = of.spec;
  options["conv_scale"] = 2.0;
  auto network = make<NetworkBuilder>(options)->build(context);
  network->initialise(7);
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  for (const auto& item : network->named_buffers()) {
    if (item.key().find("running_mean") != std::string::npos) item.value().uniform_(-0.2, 0.2);
    if (item.key().find("running_var") != std::string::npos) item.value().uniform_(0.5, 1.5);
  }
  for (const auto& item : network->named_parameters()) {
    const bool norm = item.key().find("norm") != std::string::npos,
               bias = item.key().find("bias") != std::string::npos;
    if (bias) item.value().uniform_(-0.1, 0.2);
    if (norm && !bias) item.value().uniform_(0.7, 1.4);
  }
  return network;
}

/// Kinds of networks that can be exported.
inline std::vector<DeployCase> deploy_cases() {
  const auto lif = [](Config options) {
    options["name"] = "lif";
    return options;
  };
  const Config psp = {{"name", "psp_lif"}, {"tau_m", 4}, {"tau_s", 2}};
  std::vector<DeployCase> cases = {
      {"average", "4C3p1-P2-6C3s2p1-8-3", {2, 9, 9}, {{"pool", "avg"}, {"bias", true}}},
      {"soft",
       "4C3-SP2-SP2-8-3",
       {2, 11, 10},
       {{"pool_scale", 0.4}},
       lif({{"reset", "soft"}, {"strict", true}, {"leak", 0.8}, {"v_rest", 0.1}})},
      {"hard",
       "6C5s2-8-3",
       {2, 9, 9},
       {{"norm", "bn"}},
       lif({{"reset", "hard"}, {"v_reset", -0.2}, {"gain", 1.3}})},
      {"tdbn",
       "6C5s2-8-3",
       {2, 9, 9},
       {{"norm", {{"name", "tdbn"}, {"scale", 0.8}}}, {"bias", true}},
       lif({{"decay_input", true}, {"leak", 0.3}, {"v_rest", 0.2}})},
      {"if", "6C3-8-3", {2, 6, 6}, {}, {{"name", "if"}, {"reset", "hard"}, {"v_reset", 0.1}}},
      {"spikes out", "6C3-8-3", {2, 6, 6}, {}, lif({{"reset_by", 0.7}}), {{"name", "if"}}},
      {"psp", "4C3-P2-8-3", {2, 9, 9}, {}, psp, psp},
      {"psp, recurrent", "8R-3", {6}, {}, psp, psp},
      {"recurrent", "4C3R3-8R-3", {2, 6, 6}, {}, lif({{"reset", "hard"}})},
      {"learned leak",
       "6C3-8-3",
       {2, 6, 6},
       {},
       lif({{"learn_leak", true}, {"leak", 0.7}, {"decay_input", true}, {"gain", 3.0}})},
      {"delayed reset", "6C3-8-3", {2, 6, 6}, {}, lif({{"reset_delay", true}, {"reset", "soft_decayed"}})},
      {"scaled", "4C3-D0.3-GAP-8-3", {2, 6, 6}, {{"output_scale", 2.74}, {"weight_standardisation", true}}},
      {"per channel", "4C3-8-3", {2, 6, 6}, {}, lif({{"per", "channel"}, {"reset", "soft"}})},
      {"per neuron",
       "4C3-8-3",
       {2, 6, 6},
       {},
       lif({{"per", "neuron"}, {"reset", "hard"}, {"v_reset", -0.1}})},
      {"vector", "10-3", {5}, {{"bias", true}}},
      {"quantized",
       "4C3-P2-8-3",
       {2, 9, 9},
       {{"pool", "avg"}, {"quantizer", {{"name", "uniform"}, {"bits", 4}, {"scale", "power_of_two"}}}},
       lif({{"leak", 0.75}})},
      {"zero start",
       "4C3-8-3",
       {2, 6, 6},
       {},
       lif({{"leak", 0.75}, {"v_rest", 0.3}, {"start", "zero"}}),
       {{"name", "leaky_readout"}, {"leak", 0.875}, {"v_rest", -0.5}, {"start", "zero"}}},
      {"zero start over the threshold",
       "8-3",
       {5},
       {},
       lif({{"leak", 0.75}, {"v_rest", 1.2}, {"start", "zero"}})},
      {"if, zero start",
       "6C3-8-3",
       {2, 6, 6},
       {},
       {{"name", "if"}, {"reset", "hard"}, {"v_reset", 0.3}, {"start", "zero"}}},
      {"no leaks",
       "4C3-P2-8-3",
       {2, 10, 7},
       {},
       {{"name", "if"}},
       {{"name", "leaky_readout"}, {"leak", 1.0}}},
      {"rectangles", "4C3-P2-6C3p1-P2-8-3", {2, 15, 10}, {}, lif({{"leak", 0.8}})},
  };
  return cases;
}

/// Neurons with `per` get coefficients that differ.
inline void spread_coefficients(Network& network) {
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<Layer>(node.stage);
    if (!layer || layer->neuron()->config().value("per", "layer") == "layer") continue;
    for (const auto& item : layer->neuron()->named_buffers(false)) {
      if (item.key() == "gain" && layer->neuron()->config()["per"] == "neuron") continue;
      const Tensor x = item.value();
      const Tensor change = torch::linspace(-0.1, 0.1, x.numel(), torch::kFloat).view(x.sizes());
      set_coefficient(*layer->neuron(), item.key(), x + change);
    }
  }
}

inline std::shared_ptr<Network> build_spread(const DeployCase& of) {
  auto network = build(of);
  spread_coefficients(*network);
  return network;
}

/// Values of a random input [T,B,*].
inline Tensor random_input(const Shape& shape, int64_t T, int64_t B, bool counts) {
  torch::manual_seed(3);
  std::vector<int64_t> sizes = {T, B};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return counts ? torch::floor(torch::rand(sizes) * 2.2) : torch::rand(sizes);
}

/// Recorded runs of the samples of x [T,B,*].
template <class Math>
std::vector<deploy::Recorded<Math>> record_all(const deploy::Program<Math>& program, const Tensor& x) {
  deploy::Machine<Math> machine(program);
  std::vector<deploy::Recorded<Math>> samples;
  const Tensor flat = x.flatten(2).transpose(0, 1).contiguous();
  for (int64_t b = 0; b < flat.size(0); ++b) {
    deploy::Recorded<Math> sample;
    sample.steps = flat.size(1);
    sample.still = b == 0;  // the first: its first frame, held
    const int64_t n = (sample.still ? 1 : sample.steps) * flat.size(2);
    sample.x.resize(static_cast<size_t>(n));
    deploy::scale_inputs(program, flat[b].data_ptr<float>(), n, sample.x.data());
    deploy::record(machine, {}, sample);
    samples.push_back(std::move(sample));
  }
  return samples;
}

inline void write_all(const std::string& dir, const deploy::Files& files) {
  for (const auto& [name, text] : files) {
    std::filesystem::create_directories(std::filesystem::path(dir + "/" + name).parent_path());
    write_file_atomic(dir + "/" + name, text);
  }
}

struct ShellResult {
  int code;
  std::string text;
};
/// A line for the shell, its output in `output`.
inline ShellResult shell(const std::string& line, const std::string& output) {
  const int code = wait_for(spawn({"/bin/sh", "-c", line}, output));
  const Bytes bytes = read_file(output);
  return {code, std::string(bytes.begin(), bytes.end())};
}
/// Whether the shell finds a program.
inline bool has_program(const std::string& name) {
  return wait_for(spawn({"/bin/sh", "-c", "command -v " + name + " >/dev/null"}, "/dev/null")) == 0;
}

}  // namespace spiketrain
