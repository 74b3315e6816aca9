// Exported C: strict compilers take it, sanitizers find nothing, and it gives the machine's numbers, here and on a Cortex-M3 in an emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "spiketrain/deploy/deployment.h"
#include "tests/support/deploy.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::deploy_c_test {

using testing::HasSubstr;
using testing::Not;

const char* const kStrict =
    " -std=c99 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Werror -fsanitize=undefined,address "
    "-fno-sanitize-recover=all -ffp-contract=off";

template <class Math>
deploy::CExport<Math> exported(const deploy::Program<Math>& program, const Tensor& x) {
  deploy::CExport<Math> c;
  c.program = &program;
  c.about = "a test */ of comments";
  c.scaling = "As it comes";
  c.samples = record_all(program, x);
  return c;
}

/// Compiles a folder and runs its test.
ShellResult compile_and_run(const TempDir& dir, const std::string& folder, const std::string& flags) {
  return shell("cd " + (dir / folder) + " && gcc" + flags + " model.c model_test.c -o test 2>&1 && ./test",
               dir / "output");
}

/// The named symbols of model.c compiled without optimisation: bytes of constants and of memory.
template <class Math>
void expect_bytes(const deploy::CExport<Math>& of, const std::string& name, const TempDir& dir) {
  const ShellResult symbols =
      shell("cd " + (dir / "c") + " && gcc -std=c99 -O0 -c model.c -o model.o && nm -S -t d model.o",
            dir / "output");
  ASSERT_EQ(symbols.code, 0) << symbols.text;
  std::istringstream lines(symbols.text);
  int64_t constants = 0, memory = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    int64_t place = 0, size = 0;
    std::string kind;
    if (!(words >> place >> size >> kind)) continue;  // without a size: from elsewhere
    if (kind == "r") constants += size;
    if (kind == "b") memory += size;
  }
  const deploy::CFootprint f = footprint(of);
  EXPECT_EQ(constants, f.weight_bytes + f.coefficient_bytes) << name;
  EXPECT_EQ(memory, f.ram_bytes) << name;
}

template <class Math>
void expect_equal(const DeployCase& of, const deploy::Program<Math>& program, bool counts,
                  const TempDir& dir) {
  const std::string name = str(of.name, Math::kFixed ? " q" : " f", program.bits, counts ? " counts" : "");
  const auto c = exported(program, random_input(of.input, 7, 3, counts));
  write_all(dir / "c", write_c(c));
  expect_bytes(c, name, dir);
  const ShellResult result = compile_and_run(dir, "c", kStrict);
  EXPECT_EQ(result.code, 0) << name << "\n" << result.text;
  EXPECT_THAT(result.text, HasSubstr("3 samples, 21 steps: as recorded")) << name;
}

TEST(DeployC, EqualsTheMachineNumberForNumber) {
  TempDir dir;
  size_t n = 0;
  for (const DeployCase& of : deploy_cases()) {  // the kinds in turn: each compiles for a second
    const deploy::Model model = deploy::read_network(*build_spread(of));
    const bool counts = n % 2 == 0;
    const deploy::Input kind = counts ? deploy::Input::counts : deploy::Input::real;
    expect_equal(of, deploy::lower(model, kind), counts, dir);
    expect_equal(of, deploy::quantise(model, n % 4 < 2 ? 8 : 16, kind, 1), counts, dir);
    ++n;
  }
}

TEST(DeployC, DecidesByTheGreatestValueAndLeavesOutFirstSteps) {
  TempDir dir;
  const DeployCase of = deploy_cases()[0];
  const auto program = deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::real, 1);
  auto c = exported(program, random_input(of.input, 7, 8, false));
  c.reading = {deploy::Prediction::greatest_maximum, 2};
  deploy::Machine<deploy::Fixed> machine(program);
  for (auto& sample : c.samples) {
    sample.spikes.clear();
    record(machine, c.reading, sample);
    int best = 0;
    int32_t most = INT32_MIN;
    for (int t = 2; t < 7; ++t) {
      for (int i = 0; i < 3; ++i) {
        const int32_t y = sample.y[static_cast<size_t>(t * 3 + i)];
        if (y > most) most = y, best = i;
      }
    }
    EXPECT_EQ(sample.decision, best);
  }
  write_all(dir / "c", write_c(c));
  EXPECT_EQ(compile_and_run(dir, "c", kStrict).code, 0);
  expect_bytes(c, "maximum", dir);
}

TEST(DeployC, SaysHowAPredictionIsRead) {
  TempDir dir;
  const DeployCase of = deploy_cases()[0];
  const auto program = deploy::lower(deploy::read_network(*build(of)), deploy::Input::real);
  auto c = exported(program, random_input(of.input, 7, 3, false));
  c.reading = {deploy::Prediction::mean, 2};
  for (const std::string& text : {c_readme(c), c_header(c)}) {
    EXPECT_THAT(
        text,
        HasSubstr(
            "The prediction is the mean of y over the steps since model_reset(), the first 2 left out"));
    EXPECT_THAT(text, Not(HasSubstr("model_decide")));
  }
  write_all(dir / "c", write_c(c));
  EXPECT_EQ(compile_and_run(dir, "c", kStrict).code, 0);
  expect_bytes(c, "mean", dir);
  c.reading = {deploy::Prediction::steps, 0};
  EXPECT_THAT(c_readme(c), HasSubstr("The prediction is y, step by step"));
  c.reading = {};
  EXPECT_THAT(c_readme(c), HasSubstr("label = model_decide();"));
}

TEST(DeployC, SaysHowInputsAreGiven) {
  const DeployCase of = deploy_cases()[0];
  const auto program = deploy::lower(deploy::read_network(*build(of)), deploy::Input::real);
  auto c = exported(program, random_input(of.input, 7, 3, false));
  ASSERT_TRUE(c.samples[0].still);
  EXPECT_THAT(c_readme(c), HasSubstr("model_step(t == 0 ? x : NULL, y)"));
  c.samples.erase(c.samples.begin());
  EXPECT_THAT(c_readme(c), HasSubstr("model_step(x + t * MODEL_INPUTS, y)"));
  EXPECT_THAT(c_readme(c), Not(HasSubstr("NULL")));
}

TEST(DeployC, LinksWithCpp) {
  TempDir dir;
  const DeployCase of = deploy_cases()[0];
  const auto program = deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::real, 1);
  write_all(dir / "c", write_c(exported(program, random_input(of.input, 7, 3, false))));
  write_file_atomic(dir / "c/main.cpp",
                    std::string("#include \"model.h\"\nstruct site_t {};\nint main() {\n"
                                "  model_output_t y[MODEL_OUTPUTS];\n  int32_t count = 0;\n  model_reset();\n"
                                "  static model_input_t x[MODEL_INPUTS];\n  model_step(x, y);\n"
                                "  const model_site_t* sites = model_spikes(0, &count);\n"
                                "  return sites == nullptr || model_decide() < 0;\n}\n"));
  const ShellResult result =
      shell("cd " + (dir / "c") +
                " && gcc -c model.c && g++ -Wall -Wextra -Werror main.cpp model.o -o m 2>&1 && ./m",
            dir / "output");
  EXPECT_EQ(result.code, 0) << result.text;
}

TEST(DeployC, CutsInputs) {
  TempDir dir;
  const DeployCase of = deploy_cases()[0];
  const deploy::Model model = deploy::read_network(*build(of));
  const Tensor x = random_input(of.input, 7, 3, true);
  ASSERT_GT(x.max().item<double>(), 1);
  auto program = deploy::quantise(model, 8, deploy::Input::counts, 2);
  const auto whole = exported(program, x);
  program.input_max = 1;
  const auto cut = exported(program, x);
  EXPECT_NE(cut.samples[1].y, whole.samples[1].y);
  auto raw = cut;  // the program is given what is to be cut
  raw.samples[1].x = whole.samples[1].x;
  write_all(dir / "c", write_c(raw));
  EXPECT_EQ(compile_and_run(dir, "c", kStrict).code, 0);
}

TEST(DeployC, ItsTestFindsAnotherWeight) {
  TempDir dir;
  const DeployCase of = deploy_cases()[0];
  deploy::FixedProgram program =
      deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::real, 1);
  auto c = exported(program, random_input(of.input, 7, 3, false));
  for (int16_t& w : program.layers.back().products[0].weight) w = static_cast<int16_t>(w + 1);
  write_all(dir / "c", write_c(c));
  const ShellResult result = compile_and_run(dir, "c", kStrict);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.text, HasSubstr("differs from what was recorded"));
}

TEST(DeployC, SaysWhatItTakes) {
  // 4C3p1 on [2,9,9], P2, 6C3s2p1, 8, 3: weights 72 + 216 + 6*2*2*8 + 24.
  const DeployCase of = deploy_cases()[0];
  const auto program = deploy::quantise(deploy::read_network(*build(of)), 8, deploy::Input::real, 1);
  const auto c = exported(program, random_input(of.input, 7, 3, false));
  const deploy::CFootprint f = footprint(c);
  EXPECT_EQ(f.weight_bytes, 72 + 216 + 192 + 24);
  EXPECT_EQ(f.updates, 324 + 24 + 8 + 3);
  // carried and spikes of 324, 24, 8, 3 neurons (the last sends none), held sums of 324, sums of 24, evidence; 2 bytes a site.
  EXPECT_EQ(f.ram_bytes, 4 * (324 + 24 + 8 + 3) + 2 * (324 + 24 + 8) + 3 * 4 + 4 * 324 + 4 * 24 + 8 * 3);
  EXPECT_GT(f.additions, 0);
  EXPECT_LT(f.additions, static_cast<double>(f.most_additions));
  // 25 * 25 pairs of rows and columns of a 3x3 kernel on 9 rows with padding; 4 * 9 of windows, and so on.
  EXPECT_EQ(f.most_additions, 25 * 25 * 2 * 4 + 5 * 5 * 4 * 4 * 6 + 24 * 8 + 8 * 3);
  EXPECT_THAT(c_readme(c), HasSubstr(str("| weights (flash) | ", f.weight_bytes, " bytes |")));
}

TEST(DeployC, RunsOnACortexM3InAnEmulator) {
  for (const char* program : {"arm-none-eabi-gcc", "qemu-system-arm", "make"})
    if (!has_program(program)) GTEST_SKIP() << program << " is not installed";
  TempDir dir;
  const DeployCase of = deploy_cases()[6];
  const deploy::Model model = deploy::read_network(*build(of));
  const Tensor x = random_input(of.input, 7, 3, false);
  write_all(dir / "f32", write_c(exported(deploy::lower(model, deploy::Input::real), x)));
  write_all(dir / "q7", write_c(exported(deploy::quantise(model, 8, deploy::Input::real, 1), x)));
  for (const char* folder : {"f32", "q7"}) {
    const ShellResult result =
        shell(str("cd ", dir / folder, " && timeout 120 make arm 2>&1"), dir / "output");
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("3 samples, 21 steps: as recorded"));
  }
}

TEST(DeployC, CrcIsThatOfEthernet) {
  // "123456789" has the check value 0xCBF43926; here of 4-byte numbers, so of one whose bytes are "1234".
  EXPECT_EQ(deploy::site_crc({0x34333231}), 0x9BE3E0A3U);
  EXPECT_EQ(deploy::site_crc({}), 0U);
}

}  // namespace spiketrain::deploy_c_test
