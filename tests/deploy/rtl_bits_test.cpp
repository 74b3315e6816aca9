// Widths of exported hardware: by hand, never left by any number of the machine, no wider than that, and refused where 32 bits are too few.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"
#include "tests/support/message.h"

namespace spiketrain::deploy_rtl_bits_test {

using deploy::Fixed;
using testing::HasSubstr;

/// One neuron that reads counts of at most one.
deploy::FixedProgram one_neuron(std::vector<int16_t> weights) {
  deploy::ProgramLayer<Fixed> layer;
  layer.name = "0";
  layer.notation = "1";
  layer.out = {1, 1, 1};
  deploy::ProgramProduct<Fixed> product;
  product.out = layer.out;
  product.shape.in = {static_cast<int64_t>(weights.size()), 1, 1};
  product.weight = std::move(weights);
  layer.products = {product};
  layer.leak = {16384};
  layer.threshold = {40};
  layer.drop = {40};
  layer.v_reset = {0};
  layer.start = {0};
  deploy::FixedProgram program;
  program.input = product.shape.in;
  program.kind = deploy::Input::counts;
  program.input_max = 1;
  program.layers = {layer};
  return program;
}

TEST(DeployRtlBits, ByHand) {
  EXPECT_EQ(deploy::bits_for(0, 1), 2);
  EXPECT_EQ(deploy::bits_for(-2, 1), 2);
  EXPECT_EQ(deploy::bits_for(-3, 1), 3);
  EXPECT_EQ(deploy::bits_for(0, 127), 8);
  EXPECT_EQ(deploy::bits_for(-129, 127), 9);
  EXPECT_EQ(deploy::bits_for(INT32_MIN, INT32_MAX), 32);
  // Sums from -6 to 27.  Leak 1/2: u is at most twice that, 54, and reaches 53: 27, 41, 48, ...; 7 bits, as -64 <= u <= 63.
  auto program = one_neuron({20, 7, -6});
  program.layers[0].spiking = false;
  const auto bits = deploy::rtl_bits(program)[0];
  EXPECT_EQ(bits.products[0].weight, 6);
  EXPECT_EQ(bits.products[0].sum, 6);
  EXPECT_EQ(bits.membrane, 7);
  EXPECT_FALSE(bits.saturates);
  EXPECT_EQ(bits.value, 7);
  // Counts of up to 3, and windows of 2 x 2 before it: sums from -72 to 324.
  program.input_max = 3;
  program.layers[0].products[0].shape.window = 2;
  EXPECT_EQ(deploy::rtl_bits(program)[0].products[0].sum, 10);
  // Real inputs have two signs: up to 99.
  program.kind = deploy::Input::real;
  program.layers[0].products[0].shape.window = 1;
  EXPECT_EQ(deploy::rtl_bits(program)[0].products[0].sum, 8);
}

TEST(DeployRtlBits, ZerosAtTheEndOfAllWeightsAreNotStored) {
  auto program = one_neuron({48, -16, 0});
  program.layers[0].products[0].exponent = 9;
  program.layers[0].products[0].shift = -3;
  const deploy::RtlProduct product = deploy::rtl_product(program.layers[0].products[0]);
  EXPECT_EQ(product.weight, (std::vector<int64_t>{3, -1, 0}));
  EXPECT_EQ(product.exponent, 5);
  EXPECT_EQ(product.shift, 1);
  EXPECT_EQ(deploy::rtl_bits(program)[0].products[0].weight, 3);
  EXPECT_EQ(deploy::rtl_bits(program)[0].products[0].sum, 3);
  program.layers[0].products[0].weight = {0, 0, 0};
  EXPECT_EQ(deploy::rtl_product(program.layers[0].products[0]).shift, -3);
  program.layers[0].products[0].weight = {1, 2, -4};
  EXPECT_EQ(deploy::rtl_product(program.layers[0].products[0]).weight, (std::vector<int64_t>{1, 2, -4}));
}

TEST(DeployRtlBits, AMembraneWithoutALeakSaturates) {
  auto program = one_neuron({20, 7, -6});
  program.layers[0].leak = {32768};
  EXPECT_EQ(deploy::rtl_bits(program)[0].membrane, 32);
  EXPECT_TRUE(deploy::rtl_bits(program)[0].saturates);
  // Weights that excite only: after a spike it begins anew, so u is below 40 + 27.
  program.layers[0].products[0].weight = {20, 7};
  program.layers[0].reset = deploy::Reset::hard;
  EXPECT_EQ(deploy::rtl_bits(program)[0].membrane, 8);
  EXPECT_FALSE(deploy::rtl_bits(program)[0].saturates);
  // Less 40 after a spike: each step may add 27 at most.
  program.layers[0].reset = deploy::Reset::soft;
  EXPECT_EQ(deploy::rtl_bits(program)[0].membrane, 8);
  program.layers[0].drop = {26};  // too little
  EXPECT_TRUE(deploy::rtl_bits(program)[0].saturates);
}

TEST(DeployRtlBits, EveryPartCounts) {
  const auto membrane = [](auto&& change) {
    auto program = one_neuron({20, 7, -6});
    change(program.layers[0]);
    return deploy::rtl_bits(program)[0].membrane;
  };
  EXPECT_EQ(membrane([](auto&) {}), 7);
  EXPECT_EQ(membrane([](auto& layer) { layer.threshold = {64}; }), 8);
  EXPECT_EQ(membrane([](auto& layer) { layer.bias = {-70}; }), 9);
  EXPECT_EQ(membrane([](auto& layer) { layer.start = {-140}; }), 8);
  EXPECT_EQ(membrane([](auto& layer) {
              layer.reset = deploy::Reset::hard;
              layer.v_reset = {-65};
            }),
            8);
  EXPECT_EQ(membrane([](auto& layer) {
              layer.reset = deploy::Reset::soft_decayed;
              layer.drop = {127};
            }),
            8);
  EXPECT_EQ(membrane([](auto& layer) {
              layer.filtered = true;
              layer.current_decay = 24576;
            }),
            9);  // currents up to 4 x 27, membranes up to 8 x 27
}

TEST(DeployRtlBits, RefusesWhatDoesNotFit) {
  auto program = one_neuron({32767, 32767});
  program.layers[0].products[0].shape.window = 200;
  EXPECT_THAT(
      message_of<UsageError>([&] { deploy::rtl_bits(program); }),
      HasSubstr("export rtl: layer 0 (1): its sums may reach 2621360000, which does not fit 32 bits"));
  program = one_neuron({20, 7, -6});
  program.layers[0].products[0].shift = 27;
  EXPECT_THAT(message_of<UsageError>([&] { deploy::rtl_bits(program); }),
              HasSubstr("its currents may reach 3623878656, which does not fit 32 bits"));
  program = one_neuron({20, 7, -6});
  program.layers[0].leak = {32769};
  EXPECT_THAT(message_of<UsageError>([&] { deploy::rtl_bits(program); }),
              HasSubstr("expected leaks of at most one, got 32769 / 2^15"));
  program = one_neuron({20, 7, -6});
  program.layers[0].output_filtered = true;
  program.layers[0].output_decay = 32768;
  program.layers[0].output_step = 100;
  EXPECT_THAT(message_of<UsageError>([&] { deploy::rtl_bits(program); }),
              HasSubstr("its filtered outputs have no bound"));
}

/// Inputs that drive one neuron as far as weights allow, for many steps up, for many down.
TEST(DeployRtlBits, TheWorstInputsStayWithinThemAndNeedThem) {
  std::mt19937 generator(4);
  const auto draw = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(generator);
  };
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int16_t> weights(5);
    for (int16_t& w : weights) w = static_cast<int16_t>(draw(-100, 100));
    auto program = one_neuron(weights);
    auto& layer = program.layers[0];
    layer.leak = {draw(0, 32000)};
    layer.spiking = false;
    if (trial % 2 == 1) layer.bias = {draw(-50, 50)};
    layer.products[0].shift = trial % 5;
    const auto bits = deploy::rtl_bits(program)[0];
    deploy::Machine<Fixed> machine(program);
    int64_t least = 0, most = 0;
    for (const int sign : {1, -1}) {
      std::vector<int32_t> state(machine.state_size()), x, y(1);
      for (const int16_t w : weights) x.push_back(w * sign > 0);
      machine.start(state.data());
      deploy::Machine<Fixed>::Trace trace;
      for (int t = 0; t < 2000; ++t) {
        machine.step(x.data(), state.data(), y.data(), trace);
        least = std::min<int64_t>(least, y[0]);
        most = std::max<int64_t>(most, y[0]);
      }
    }
    ASSERT_LE(deploy::bits_for(least, most), bits.membrane);
    ASSERT_FALSE(bits.saturates);
    // A range of all numbers of some bits is proven, not the exact one: one bit more at most.
    ASSERT_GE(deploy::bits_for(least, most), bits.membrane - 1);
  }
}

}  // namespace spiketrain::deploy_rtl_bits_test
