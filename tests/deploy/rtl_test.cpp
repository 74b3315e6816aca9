// Exported SystemVerilog: in Icarus Verilog and Verilator every spike, output and decision is that of the integer machine, synthesis takes it, and
// its test bench finds what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "spiketrain/deploy/export.h"
#include "tests/support/deploy.h"
#include "tests/support/message.h"
#include "tests/support/runs.h"

namespace spiketrain::deploy_rtl_test {

using testing::HasSubstr;
using testing::Not;

#define NEEDS(program) \
  if (!has_program(program)) GTEST_SKIP() << program << " is not installed"

deploy::RtlExport exported(const deploy::FixedProgram& program, const Tensor& x) {
  deploy::RtlExport rtl;
  rtl.program = &program;
  rtl.about = "a test";
  rtl.scaling = "As it comes";
  rtl.samples = record_all(program, x);
  return rtl;
}

ShellResult make(const TempDir& dir, const std::string& target) {
  return shell("make -s -C " + (dir / "rtl") + " " + target + " 2>&1", dir / "output");
}

/// Runs a written export with both sides always ready, and waiting at random.
void expect_as_recorded(const TempDir& dir, const std::string& simulator, const std::string& name) {
  for (const std::string stall : {"0", "1"}) {
    const ShellResult result = make(dir, simulator + " STALL=" + stall);
    EXPECT_EQ(result.code, 0) << name << "\n" << result.text;
    EXPECT_THAT(result.text, HasSubstr(" spikes: as recorded")) << name;
  }
}

/// Each kind of network, with inputs and widths in turn, through f(name, export).
template <class F>
void for_exports(F&& f, size_t every = 1) {
  size_t n = 0;
  for (const DeployCase& of : deploy_cases()) {
    const bool counts = n % 2 == 0;
    const int bits = n % 4 < 2 ? 8 : 16;
    if (n++ % every != 0) continue;
    const deploy::Model model = deploy::read_network(*build_spread(of));
    const auto program =
        deploy::quantise(model, bits, counts ? deploy::Input::counts : deploy::Input::real, 1);
    f(str(of.name, " q", bits, counts ? " counts" : ""),
      exported(program, random_input(of.input, 4, 2, counts)));
  }
}

TEST(DeployRtl, IcarusEqualsTheMachineSpikeForSpike) {
  NEEDS("iverilog");
  TempDir dir;
  for_exports([&](const std::string& name, const deploy::RtlExport& rtl) {
    write_all(dir / "rtl", write_rtl(rtl));
    expect_as_recorded(dir, "icarus", name);
  });
}

TEST(DeployRtl, VerilatorEqualsTheMachineSpikeForSpike) {
  NEEDS("verilator");
  TempDir dir;
  const auto check = [&](const std::string& name, const deploy::RtlExport& rtl) {
    write_all(dir / "rtl", write_rtl(rtl));
    const ShellResult result = make(dir, "verilator STALL=1");
    EXPECT_EQ(result.code, 0) << name << "\n" << result.text;
    EXPECT_THAT(result.text, HasSubstr(" spikes: as recorded")) << name;
  };
  for_exports(check, 8);  // each compiles for seconds
}

TEST(DeployRtl, VerilatorFindsNothingToWarnAbout) {
  NEEDS("verilator");
  TempDir dir;
  for_exports([&](const std::string& name, const deploy::RtlExport& rtl) {
    write_all(dir / "rtl", write_rtl(rtl));
    const ShellResult result = make(dir, "lint");
    EXPECT_EQ(result.code, 0) << name;
    EXPECT_EQ(result.text, "") << name;
  });
}

/// Cells of a kind in a report of yosys.
int64_t cells(const std::string& report, const std::string& kind) {
  const size_t at = report.find(" " + kind + " ");
  return at == std::string::npos ? 0 : std::stoll(report.substr(at + kind.size() + 2));
}

TEST(DeployRtl, YosysMapsItToCells) {
  NEEDS("yosys");
  TempDir dir;
  const DeployCase of = {"small", "16-3", {40}};
  const auto program = deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::counts, 1);
  write_all(dir / "rtl", write_rtl(exported(program, random_input(of.input, 7, 3, true))));
  const ShellResult ice40 = make(dir, "ice40");
  ASSERT_EQ(ice40.code, 0) << ice40.text;
  EXPECT_GE(cells(ice40.text, "SB_RAM40_4K"), 2);  // 640 weights of 8 bits, at 4096 bits each
  EXPECT_GT(cells(ice40.text, "SB_LUT4"), 300);
  EXPECT_EQ(cells(ice40.text, "SB_DLATCH") + cells(ice40.text, "$_DLATCH_P_"), 0);
  if (has_program("iverilog")) {
    const ShellResult netlist = make(dir, "netlist");
    EXPECT_EQ(netlist.code, 0) << netlist.text;
    EXPECT_THAT(netlist.text, HasSubstr("as recorded"));
  }
  if (!has_program("nextpnr-ice40")) return;
  const ShellResult timing = make(dir, "timing");
  EXPECT_EQ(timing.code, 0) << timing.text;
  EXPECT_THAT(timing.text, HasSubstr("Max frequency for clock"));
}

/// A small network, and its export.
struct Small {
  DeployCase of = {"small", "8-3", {6}, {}, {{"name", "lif"}, {"threshold", 0.2}}};
  deploy::FixedProgram program =
      deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::real, 1);
  deploy::RtlExport rtl = exported(program, random_input(of.input, 7, 3, false));
  /// With the choices of `reading`.
  void read(const deploy::Reading& reading) {
    rtl.reading = reading;
    deploy::Machine<deploy::Fixed> machine(program);
    for (auto& sample : rtl.samples) {
      sample.spikes.clear();
      record(machine, reading, sample);
    }
  }
};

TEST(DeployRtl, DecidesByTheGreatestValueAndLeavesOutFirstSteps) {
  NEEDS("iverilog");
  TempDir dir;
  Small small;
  const deploy::Reading readings[] = {
      {deploy::Prediction::greatest_maximum, 0},
      {deploy::Prediction::greatest_maximum, 2},
      {deploy::Prediction::greatest_sum, 3},
      {deploy::Prediction::greatest_sum, 7}};  // reads nothing: the first class
  for (const deploy::Reading& reading : readings) {
    small.read(reading);
    write_all(dir / "rtl", write_rtl(small.rtl));
    expect_as_recorded(dir, "icarus", str("from step ", reading.first));
    small.rtl.samples[1].decision = (small.rtl.samples[1].decision + 1) % 3;
    write_all(dir / "rtl", write_rtl(small.rtl));
    const ShellResult wrong = make(dir, "icarus");
    EXPECT_NE(wrong.code, 0);
    EXPECT_THAT(wrong.text, HasSubstr("decisions, word 1: "));
  }
}

TEST(DeployRtl, RegressionHasNoClass) {
  NEEDS("iverilog");
  TempDir dir;
  Small small;
  small.read({deploy::Prediction::mean, 2});
  EXPECT_THAT(rtl_model(small.rtl), Not(HasSubstr("class")));
  EXPECT_THAT(rtl_readme(small.rtl),
              HasSubstr("the mean of the outputs over the sample's steps, the first 2 left out"));
  write_all(dir / "rtl", write_rtl(small.rtl));
  expect_as_recorded(dir, "icarus", "mean");
}

TEST(DeployRtl, CutsInputs) {
  NEEDS("iverilog");
  TempDir dir;
  Small small;
  small.program.input_max = 5000;  // not a power of two less one: the port holds more
  auto cut = exported(small.program, random_input(small.of.input, 7, 3, false));
  ASSERT_EQ(deploy::rtl_input_bits(small.program), 14);
  for (auto& sample : cut.samples) {
    ASSERT_EQ(*std::max_element(sample.x.begin(), sample.x.end()), 5000);
    for (int32_t& x : sample.x)
      if (x == 5000) x = 8191;  // the same to the network
  }
  cut.samples[2].x[1] = -8192;
  deploy::Machine<deploy::Fixed> machine(small.program);
  cut.samples[2].spikes.clear();
  record(machine, cut.reading, cut.samples[2]);
  write_all(dir / "rtl", write_rtl(cut));
  expect_as_recorded(dir, "icarus", "cut");
}

TEST(DeployRtl, ItsTestBenchFindsWhatIsWrong) {
  NEEDS("iverilog");
  TempDir dir;
  const Small small;
  const deploy::Files files = write_rtl(small.rtl);
  std::map<std::string, std::string> text(files.begin(), files.end());
  const auto run = [&](const std::string& name, const std::string& changed) {
    write_all(dir / "rtl", files);
    write_file_atomic(dir / "rtl/" + name, changed);
    return make(dir, "icarus");
  };
  std::string weights = text["mem/weights_0_0.mem"];
  weights[0] = '7';
  for (size_t i = 1; i < weights.size(); ++i)
    if (weights[i - 1] == '\n') weights[i] = '7';
  const ShellResult weight = run("mem/weights_0_0.mem", weights);
  EXPECT_NE(weight.code, 0);
  EXPECT_THAT(weight.text, HasSubstr("the network differs from what was recorded"));
  // A spike too many is expected: words are missing at the end.
  std::string bench = text["model_tb.sv"];
  const size_t at = bench.find("seen_outputs != ");
  ASSERT_NE(at, std::string::npos);
  bench.insert(at + 16, "1");
  EXPECT_NE(run("model_tb.sv", bench).code, 0);
  // A layer that never ends its step.
  std::string neurons = text["spike_neurons.sv"];
  const std::string leaves = "end_leaves = out_valid";
  ASSERT_NE(neurons.find(leaves), std::string::npos);
  neurons.replace(neurons.find(leaves), leaves.size(), "end_leaves = 0 && out_valid");
  const ShellResult hangs = run("spike_neurons.sv", neurons);
  EXPECT_NE(hangs.code, 0);
  EXPECT_THAT(hangs.text, HasSubstr("it hangs"));
  EXPECT_EQ(run("model.sv", text["model.sv"]).code, 0);
}

/// The numbers after "mean", "least" and "most" of what a simulation printed.
std::vector<int64_t> cycles_of(const std::string& text) {
  std::vector<int64_t> cycles;
  for (const std::string name : {"mean ", "least ", "most "})
    cycles.push_back(std::stoll(text.substr(text.find(name, text.find("cycles per sample")) + name.size())));
  return cycles;
}

TEST(DeployRtl, CyclesAreThoseOfEventsAndNoMoreThanStated) {
  NEEDS("iverilog");
  TempDir dir;
  for_exports(
      [&](const std::string& name, const deploy::RtlExport& rtl) {
        const deploy::RtlFootprint f = rtl_footprint(rtl);
        write_all(dir / "rtl", write_rtl(rtl));
        const ShellResult result = make(dir, "icarus");
        ASSERT_EQ(result.code, 0) << name << result.text;
        const auto cycles = cycles_of(result.text);
        EXPECT_LE(static_cast<double>(cycles[0]), f.most_cycles) << name;
        EXPECT_GT(static_cast<double>(cycles[0]), 0.3 * f.most_cycles) << name;
        EXPECT_LE(cycles[2], f.sample_cycles) << name;
      },
      4);
  // Nothing but zeros: no event.  Then one of the six inputs at one step: two cycles and eight weights more.
  Small small;
  const auto run = [&](const Tensor& x) {
    small.rtl = exported(small.program, x);
    small.rtl.samples.erase(small.rtl.samples.begin());  // that one holds its first frame
    write_all(dir / "rtl", write_rtl(small.rtl));
    return cycles_of(make(dir, "icarus").text)[0];
  };
  Tensor x = torch::zeros({7, 2, 6});
  const int64_t silent = run(x);
  EXPECT_EQ(rtl_footprint(small.rtl).events, 0);
  x[0][1][3] = 0.001;  // too little for a spike
  EXPECT_EQ(run(x), silent + 2 + 8);
  EXPECT_EQ(rtl_footprint(small.rtl).events, 1);
}

TEST(DeployRtl, SaysWhatItTakes) {
  const Small small;
  const deploy::RtlFootprint f = rtl_footprint(small.rtl);
  const auto bits = rtl_bits(small.program);
  EXPECT_EQ(f.weight_bits, 48 * bits[0].products[0].weight + 24 * bits[1].products[0].weight);
  EXPECT_EQ(f.sum_bits, 8 * bits[0].products[0].sum + 3 * bits[1].products[0].sum);
  EXPECT_EQ(f.state_bits, 8 * bits[0].membrane + 3 * bits[1].membrane + 3 * (bits[1].value + 32));
  EXPECT_EQ(f.coefficient_bits, 0);
  const std::string readme = rtl_readme(small.rtl);
  EXPECT_THAT(readme, HasSubstr(str("| weights | ", f.weight_bits, " bits |")));
  EXPECT_THAT(readme, HasSubstr("each place at most once in a step; values beyond "));
  EXPECT_THAT(readme, HasSubstr("`class_valid`"));
  EXPECT_THAT(rtl_model(small.rtl), HasSubstr("in_value"));
  auto counts = deploy::quantise(deploy::read_network(*build(small.of)), 8, deploy::Input::counts, 1);
  const auto events = exported(counts, random_input(small.of.input, 7, 3, true));
  EXPECT_THAT(rtl_readme(events), HasSubstr("once for each spike, and no more than 255 times in a step"));
  EXPECT_THAT(rtl_model(events), Not(HasSubstr("logic signed [15:0] in_value")));
}

TEST(DeployRtl, WordsAreTwosComplement) {
  EXPECT_EQ(deploy::rtl_words({-1, 7, -8}, 4), "f\n7\n8\n");
  EXPECT_EQ(deploy::rtl_words({-1, 5}, 5), "1f\n05\n");
  EXPECT_EQ(deploy::rtl_words({INT32_MIN}, 32), "80000000\n");
  EXPECT_EQ(deploy::rtl_words({-2}, 64), "fffffffffffffffe\n");
  EXPECT_EQ(deploy::count_bits(1), 1);
  EXPECT_EQ(deploy::count_bits(2), 1);
  EXPECT_EQ(deploy::count_bits(3), 2);
  EXPECT_EQ(deploy::count_bits(256), 8);
  EXPECT_EQ(deploy::count_bits(257), 9);
}

TEST(DeployRtl, TrainedNetworksByTheCommand) {
  TempDir dir;
  const std::string recipe = write_recipe(dir), run = dir / "run";
  const auto cli = [&](const std::string& line) {
    return shell(str(ST_CLI, " ", line, " 2>&1"), dir / "output");
  };
  ASSERT_EQ(cli("train " + recipe + " --out " + run + " --set epochs=1 --set network.spec=6-10").code, 0);
  const std::string command = "export rtl " + run + " --out ";
  for (const std::string type : {"q7", "q15"}) {
    const ShellResult made = cli(command + (dir / "rtl") + " --type " + type + " --samples 3 --check 20");
    ASSERT_EQ(made.code, 0) << made.text;
    EXPECT_THAT(made.text, HasSubstr("bits of weights")) << made.text;
    EXPECT_THAT(made.text, HasSubstr("on 20 test samples")) << made.text;
    EXPECT_THAT(made.text, HasSubstr(" of 20; outputs differ by at most ")) << made.text;
    if (!has_program("iverilog")) continue;
    const ShellResult result = make(dir, "icarus");
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("3 samples, 15 steps, "));
    const ShellResult report = shell(
        "/usr/bin/python3 " ST_SOURCE_DIR "/tools/rtl_report.py " + (dir / "rtl") + " --only icarus 2>&1",
        dir / "output");
    EXPECT_EQ(report.code, 0) << report.text;
    EXPECT_THAT(report.text, HasSubstr("as recorded; cycles per sample: mean "));
  }
  EXPECT_EQ(cli(command + (dir / "x") + " --type f32").code, 2);
  EXPECT_EQ(cli(command + (dir / "x") + " --samples 0").code, 2);
  EXPECT_EQ(cli("export rtl " + (dir / "none") + " --out " + (dir / "x")).code, 2);
  EXPECT_EQ(cli(command + recipe).code, 3);
  if (!has_program("iverilog")) GTEST_SKIP() << "not simulated: iverilog is not installed";
}

TEST(DeployRtl, RefusesByName) {
  const Experiment experiment = tiny_experiment({"network.pool=max", "network.spec=4C3p1-P2-4"});
  deploy::ExportOptions options;
  options.type = "q7";
  EXPECT_THAT(message_of<UsageError>([&] { deploy::export_rtl(experiment.training, options); }),
              HasSubstr("maximum pooling cannot be exported"));
  options.type = "f32";
  EXPECT_THAT(message_of<UsageError>([&] { deploy::export_rtl(experiment.training, options); }),
              HasSubstr("export rtl: expected type q7 or q15, got 'f32'"));
  options.type = "q7";
  options.samples = 0;
  EXPECT_THAT(message_of<UsageError>([&] { deploy::export_rtl(experiment.training, options); }),
              HasSubstr("export rtl: expected at least one sample"));
}

#undef NEEDS

}  // namespace spiketrain::deploy_rtl_test
