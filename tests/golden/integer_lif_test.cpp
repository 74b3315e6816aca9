// Layers of integer leaky neurons beside the machine of the exports: sums, threshold and reset are the same numbers.  Two things differ and are
// set from the files: their leak, v - (v >> n), rounds up where ours rounds to the nearest, and their membranes saturate at a few bits.
#include <gtest/gtest.h>

#include <algorithm>

#include "spiketrain/deploy/machine.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"

namespace spiketrain::integer_lif_golden_test {

using deploy::Fixed;

/// Without a leak: what is carried from step to step is set by the test.
deploy::FixedProgram program_of(const GoldenRecord& r) {
  const Tensor weight = r.at("weight").t().contiguous();  // [inputs, neurons]
  deploy::ProgramLayer<Fixed> layer;
  layer.out = {weight.size(1), 1, 1};
  deploy::ProgramProduct<Fixed> product;
  product.out = layer.out;
  product.shape.in = {weight.size(0), 1, 1};
  for (int64_t i = 0; i < weight.numel(); ++i)
    product.weight.push_back(static_cast<int16_t>(weight.data_ptr<int64_t>()[i]));
  layer.products = {product};
  layer.reset = r.word("reset") == "soft" ? deploy::Reset::soft : deploy::Reset::hard;
  layer.leak = {1 << Fixed::kDecayBits};
  layer.threshold = layer.drop = {static_cast<int32_t>(r.number("threshold"))};
  layer.v_reset = layer.start = {0};
  deploy::FixedProgram program;
  program.input = product.shape.in;
  program.kind = deploy::Input::counts;
  program.input_max = 1;
  program.layers = {layer};
  return program;
}

/// The steps of a record; the number of steps and neurons at which a membrane was saturated.
int64_t compare(const GoldenRecord& r) {
  const deploy::FixedProgram program = program_of(r);
  deploy::Machine<Fixed> machine(program);
  const Tensor in = r.at("spikes_in").to(torch::kInt).contiguous(), wanted = r.at("spikes_out"),
               membrane = r.at("membrane");
  const auto shift = static_cast<int>(r.number("leak_shift"));
  const int32_t most = (1 << (static_cast<int>(r.number("membrane_bits")) - 1)) - 1;
  const int64_t n = machine.outputs();
  std::vector<int32_t> v(static_cast<size_t>(n), 0), y(v.size());
  deploy::Machine<Fixed>::Trace trace;
  int64_t saturated = 0, fired = 0;
  for (int64_t t = 0; t < in.size(0); ++t) {
    for (int32_t& x : v) {
      const int32_t leaked = x - (x >> shift);
      EXPECT_LE(
          std::abs(leaked - Fixed::decay((1 << Fixed::kDecayBits) - (1 << (Fixed::kDecayBits - shift)), x)),
          1);
      x = leaked;
    }
    machine.step(in[t].data_ptr<int32_t>(), v.data(), y.data(), trace);
    for (int64_t i = 0; i < n; ++i) {
      int32_t& x = v[static_cast<size_t>(i)];
      const bool over = x < -most - 1 || x > most;
      saturated += over;
      x = std::clamp(x, -most - 1, most);
      fired += y[static_cast<size_t>(i)];
      EXPECT_EQ(y[static_cast<size_t>(i)], wanted[t][i].item<int64_t>()) << "step " << t << ", neuron " << i;
      EXPECT_EQ(x, membrane[t][i].item<int64_t>()) << "step " << t << ", neuron " << i;
    }
  }
  EXPECT_EQ(fired, wanted.sum().item<int64_t>());
  return saturated;
}

TEST(IntegerLifGolden, SumsThresholdAndResetAreTheSame) {
  int files = 0;
  for (const std::string& path : golden_files("related")) {
    if (path.find("/integer_lif_") == std::string::npos) continue;
    SCOPED_TRACE(path);
    const GoldenRecord r(path);
    const int64_t saturated = compare(r);
    if (r.word("reset") == "soft") {
      EXPECT_EQ(saturated, 0);
      EXPECT_GT(r.at("spikes_out").sum().item<int64_t>(), 0);
    }
    ++files;
  }
  EXPECT_GE(files, 2);
}

}  // namespace spiketrain::integer_lif_golden_test
