// Programs in whole numbers: their arithmetic by hand, their scales, and what does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/deploy.h"
#include "tests/support/message.h"

namespace spiketrain::deploy_program_test {

using deploy::Fixed;
using testing::HasSubstr;

TEST(DeployFixed, RoundsHalvesAwayFromZeroAndSaturates) {
  EXPECT_EQ(Fixed::rounded(5, 1), 3);
  EXPECT_EQ(Fixed::rounded(-5, 1), -3);
  EXPECT_EQ(Fixed::rounded(5, 2), 1);
  EXPECT_EQ(Fixed::rounded(-7, 2), -2);
  EXPECT_EQ(Fixed::rounded(7, 0), 7);
  EXPECT_EQ(Fixed::decay(16384, 3), 2);
  EXPECT_EQ(Fixed::decay(16384, -3), -2);
  EXPECT_EQ(Fixed::decay(32768, INT32_MIN), INT32_MIN);
  EXPECT_EQ(Fixed::add(INT32_MAX, 1), INT32_MAX);
  EXPECT_EQ(Fixed::subtract(INT32_MIN, 1), INT32_MIN);
  EXPECT_EQ(Fixed::current(3, 4), 48);
  EXPECT_EQ(Fixed::current(-3, -1), -2);
}

/// One neuron that reads `weights.size()` counts.
deploy::Model one_neuron(std::vector<double> weights, deploy::Reset reset) {
  deploy::Layer layer;
  layer.name = "0";
  layer.notation = "1";
  deploy::Product product;
  product.in = {static_cast<int64_t>(weights.size()), 1, 1};
  product.weight = std::move(weights);
  layer.products = {product};
  layer.reset = reset;
  layer.leak = {0.75};
  layer.threshold = layer.drop = {1};
  layer.v_reset = {-0.25};
  layer.start = {0};
  return {"1", product.in, {layer}};
}

/// Spikes of that neuron, whose input is one event at input `at[t]` (-1: none).
template <class Math>
std::vector<int> fires(const deploy::Program<Math>& program, const std::vector<int>& at) {
  deploy::Machine<Math> machine(program);
  std::vector<typename Math::Value> state(machine.state_size()), x(static_cast<size_t>(machine.inputs())),
      y(1);
  machine.start(state.data());
  typename deploy::Machine<Math>::Trace trace;
  std::vector<int> spikes;
  for (const int site : at) {
    std::fill(x.begin(), x.end(), typename Math::Value(0));
    if (site >= 0) x[static_cast<size_t>(site)] = 1;
    machine.step(x.data(), state.data(), y.data(), trace);
    EXPECT_EQ(static_cast<int>(trace.spikes[0].size()), static_cast<int>(y[0]));
    EXPECT_EQ(trace.additions[0], site >= 0 ? 1 : 0);
    spikes.push_back(static_cast<int>(y[0]));
  }
  return spikes;
}

TEST(DeployProgram, OneNeuronByHand) {
  // Weights 1 and 0.25, leak 0.75.  u: 1 fires; then by reset.
  const std::vector<int> events = {0, 1, 0, -1, 1};
  const auto both = [&](deploy::Reset reset) {
    const deploy::Model model = one_neuron({1, 0.25}, reset);
    const std::vector<int> spikes = fires(deploy::lower(model, deploy::Input::counts), events);
    EXPECT_EQ(fires(deploy::quantise(model, 8, deploy::Input::counts, 1), events), spikes);
    return spikes;
  };
  // soft_decayed: u = 1 -> 0; 0.25; 1.1875 -> 0.1875; 0.14; 0.355
  EXPECT_EQ(both(deploy::Reset::soft_decayed), (std::vector<int>{1, 0, 1, 0, 0}));
  // soft: c = 0.75 - 1 = -0.25; u = 0; u = 1 fires, c = -0.25; u = -0.25; u = 0.0625
  EXPECT_EQ(both(deploy::Reset::soft), (std::vector<int>{1, 0, 1, 0, 0}));
  // hard to -0.25: u = 0.0625; u = 1.046875 fires
  EXPECT_EQ(both(deploy::Reset::hard), (std::vector<int>{1, 0, 1, 0, 0}));
  // none: 1; 1; 1.75; 1.3125; 1.234375
  EXPECT_EQ(both(deploy::Reset::none), (std::vector<int>{1, 1, 1, 1, 1}));
}

TEST(DeployProgram, AStrictThresholdIsNotMetByEquality) {
  deploy::Model model = one_neuron({1, 0.25}, deploy::Reset::hard);
  model.layers[0].strict = true;
  EXPECT_EQ(fires(deploy::quantise(model, 8, deploy::Input::counts, 1), {0}), std::vector<int>{0});
  EXPECT_EQ(fires(deploy::lower(model, deploy::Input::counts), {0}), std::vector<int>{0});
}

TEST(DeployProgram, WeightsOnAGridAreKept) {
  std::vector<deploy::Rounding> rounding;
  const auto program = deploy::quantise(one_neuron({0.5, -3.0 / 128, 1.0 / 128}, deploy::Reset::hard), 8,
                                        deploy::Input::counts, 1, &rounding);
  const auto& product = program.layers[0].products[0];
  EXPECT_EQ(product.exponent, 7);  // 64, -3, 1: a finer grid would not hold 0.5 * 2^8 = 128
  EXPECT_EQ(product.weight, (std::vector<int16_t>{64, -3, 1}));
  EXPECT_EQ(rounding[0].weight, 0);
  EXPECT_EQ(rounding[0].leak, 0);
  EXPECT_EQ(rounding[0].drop, 0);
  deploy::quantise(one_neuron({0.5, -0.3, 0.1}, deploy::Reset::hard), 8, deploy::Input::counts, 1, &rounding);
  EXPECT_GT(rounding[1].weight, 0);
  EXPECT_LE(rounding[1].weight, 0.5 / 64 + 1e-12);
}

/// Weights in [-1, 1] without a pattern.
std::vector<double> mixed_weights(size_t n) {
  std::vector<double> weights;
  uint32_t at = 1;
  for (size_t i = 0; i < n; ++i) {
    at = at * 1664525U + 1013904223U;
    weights.push_back(at / 2147483648.0 - 1);
  }
  return weights;
}

/// What one neuron that does not fire makes of x in whole numbers.
double output_of(const deploy::FixedProgram& program, const std::vector<int32_t>& x) {
  deploy::Machine<Fixed> machine(program);
  std::vector<int32_t> state(machine.state_size()), y(1);
  machine.start(state.data());
  deploy::Machine<Fixed>::Trace trace;
  machine.step(x.data(), state.data(), y.data(), trace);
  return std::ldexp(y[0], -program.output_exponent);
}

deploy::Model readout(std::vector<double> weights) {
  deploy::Model model = one_neuron(std::move(weights), deploy::Reset::none);
  model.layers[0].spiking = false;
  return model;
}

TEST(DeployProgram, TheLargestSumsOfInputsAreExact) {
  for (const int bits : {8, 16}) {
    for (const size_t n : {10, 1000, 30000, 100000}) {
      const auto program = deploy::quantise(readout(mixed_weights(n)), bits, deploy::Input::real, 1);
      const auto& product = program.layers[0].products[0];
      std::vector<int32_t> x;
      double sum = 0;
      for (const int16_t w : product.weight) {
        x.push_back(w < 0 ? -program.input_max : program.input_max);
        sum += static_cast<double>(std::abs(int64_t{w}) * program.input_max);
      }
      EXPECT_LE(sum, INT32_MAX) << bits << " bits, " << n;
      if (n >= 1000 && bits == 16) {
        EXPECT_GT(sum, INT32_MAX / 8) << n << ": bits are left over";
      }
      EXPECT_NEAR(output_of(program, x), std::ldexp(sum, -product.exponent - program.input_exponent),
                  std::ldexp(1.0, -program.output_exponent))
          << bits << " bits, " << n;
    }
  }
}

TEST(DeployProgram, SixteenBitsAreFinerThanEight) {
  for (const size_t n : {100, 3000, 30000}) {
    const std::vector<double> weights = mixed_weights(n);
    double error[2] = {};  // sums of squares
    for (const int bits : {8, 16}) {
      const auto program = deploy::quantise(readout(weights), bits, deploy::Input::real, 1);
      EXPECT_GE(program.input_bits(), n <= 100 ? 11 : n <= 3000 ? 10 : 8) << bits << " bits, " << n;
      for (int sample = 0; sample < 10; ++sample) {
        std::vector<float> x;
        double wanted = 0;
        for (size_t i = 0; i < n; ++i) {
          x.push_back(static_cast<float>(std::abs(std::sin(static_cast<double>(i) + sample))));
          wanted += weights[i] * static_cast<double>(x.back());
        }
        std::vector<int32_t> scaled(n);
        deploy::scale_inputs(program, x.data(), static_cast<int64_t>(n), scaled.data());
        error[bits / 16] += std::pow(output_of(program, scaled) - wanted, 2);
      }
    }
    EXPECT_LT(error[1], error[0]) << n;
  }
}

TEST(DeployProgram, NoSumLeavesThirtyTwoBits) {
  for (const int bits : {8, 16}) {
    std::vector<DeployCase> cases = deploy_cases();
    cases.push_back({"wide", "SP8-16C3p1-SP4-300-3", {8, 64, 64}});
    for (const DeployCase& of : cases) {
      const auto model = deploy::read_network(*build_spread(of));
      const auto program = deploy::quantise(model, bits, deploy::Input::real, 1);
      for (const auto& layer : program.layers) {
        for (const auto& product : layer.products) {
          const bool input = product.shape.source == deploy::Product::kInput;
          const auto features = static_cast<size_t>(product.out.channels);
          std::vector<double> sums(features);  // if every weight were met by the largest input
          for (size_t i = 0; i < product.weight.size(); ++i) {
            EXPECT_LE(std::abs(int{product.weight[i]}), bits == 8 ? 127 : 32767);
            sums[i % features] += std::abs(int{product.weight[i]});
          }
          const double times = std::pow(product.shape.window, 2) * (input ? program.input_max : 1);
          for (const double sum : sums) EXPECT_LE(sum * times, INT32_MAX) << of.name;
          EXPECT_LE(product.shift, 30);
        }
        for (const int32_t threshold : layer.threshold) EXPECT_LE(std::abs(threshold), (1 << 29) + 1);
      }
      EXPECT_GT(program.input_max, 15);
    }
  }
}

TEST(DeployProgram, InputsAreCutAndRounded) {
  const auto program =
      deploy::quantise(one_neuron({1, 0.25}, deploy::Reset::hard), 8, deploy::Input::real, 2.0);
  EXPECT_EQ(program.input_max, 32767);
  EXPECT_EQ(program.input_exponent, 13);  // 2 * 2^13 = 16384, twice that would be 32768
  const float x[] = {2.0F, -1e9F, 0.7F / 8192, -0.5F / 8192};
  int32_t scaled[4];
  deploy::scale_inputs(program, x, 4, scaled);
  EXPECT_EQ(std::vector<int32_t>(scaled, scaled + 4), (std::vector<int32_t>{16384, -32767, 1, -1}));
  const float nan = std::nanf("");
  EXPECT_THROW(deploy::scale_inputs(program, &nan, 1, scaled), UsageError);
}

TEST(DeployProgram, CountsAreCutWhereASumCouldLeaveThirtyTwoBits) {
  const auto narrow =
      deploy::quantise(one_neuron({1, 0.25}, deploy::Reset::hard), 16, deploy::Input::counts, 3);
  EXPECT_EQ(narrow.input_max, 255);
  EXPECT_TRUE(narrow.takes_all());
  const deploy::Model wide = one_neuron(std::vector<double>(40000, 1.0), deploy::Reset::hard);
  const auto cut = deploy::quantise(wide, 16, deploy::Input::counts, 3);
  EXPECT_EQ(cut.input_max, 3);  // 2^31 / (40,000 * 2^14)
  EXPECT_FALSE(cut.takes_all());
  EXPECT_THROW(deploy::quantise(wide, 16, deploy::Input::counts, 4), UsageError);
}

TEST(DeployProgram, RefusesWhatDoesNotFit) {
  const deploy::Model wide = one_neuron(std::vector<double>(200000, 1.0), deploy::Reset::hard);
  EXPECT_THAT(message_of<UsageError>([&] { deploy::quantise(wide, 16, deploy::Input::counts, 1); }),
              HasSubstr("its sums may reach"));
  EXPECT_THAT(message_of<UsageError>([&] { deploy::quantise(wide, 7, deploy::Input::counts, 1); }),
              HasSubstr("8 or 16 bits, got 7"));
  deploy::Model whole_maps = one_neuron(std::vector<double>(64, 1.0), deploy::Reset::hard);
  whole_maps.layers[0].products[0].in = {64, 4096, 4096};
  whole_maps.layers[0].products[0].window = 4096;
  EXPECT_THAT(message_of<UsageError>([&] { deploy::quantise(whole_maps, 16, deploy::Input::real, 1); }),
              HasSubstr("are left for each, expected at least 4; use type f32"));
  const deploy::Model broken = one_neuron({std::nan("")}, deploy::Reset::hard);
  EXPECT_THAT(message_of<UsageError>([&] { deploy::quantise(broken, 8, deploy::Input::counts, 1); }),
              HasSubstr("not finite"));
  EXPECT_THAT(message_of<UsageError>([&] {
                deploy::quantise(one_neuron({1}, deploy::Reset::hard), 8, deploy::Input::real, INFINITY);
              }),
              HasSubstr("inputs are not finite"));
}

}  // namespace spiketrain::deploy_program_test
