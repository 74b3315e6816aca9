// ONNX steps: bytes of the wire format, and, where Python has the module onnx, its checker and a comparison with the C program.
#include "spiketrain/deploy/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/deploy.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::deploy_onnx_test {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string onnx_of(const DeployCase& of, bool spikes) {
  return deploy::write_onnx(deploy::read_network(*build_spread(of)), "a test", spikes);
}

TEST(DeployOnnx, BeginsWithTheVersionAndEndsWithTheOperatorSet) {
  const std::string text = onnx_of(deploy_cases()[0], false);
  EXPECT_THAT(text, StartsWith(std::string("\x08\x08\x12\x0aspiketrain")));  // ir_version 8, producer
  EXPECT_EQ(text.substr(text.size() - 6),
            std::string("\x42\x04\x0a\x00\x10\x0d", 6));  // opset 13 of the domain ""
}

TEST(DeployOnnx, HoldsWhatTheNetworkNeeds) {
  const std::string average = onnx_of(deploy_cases()[0], false), psp = onnx_of(deploy_cases()[7], true);
  for (const char* word : {"Conv", "AveragePool", "Gemm", "GreaterOrEqual", "carried_0_next"})
    EXPECT_THAT(average, HasSubstr(word));
  for (const char* word : {"current_0", "spikes_", "fired_0"}) EXPECT_THAT(average, Not(HasSubstr(word)));
  for (const char* word : {"current_0", "spikes_0_next", "fired_0", "output_1", "Where"})
    EXPECT_THAT(psp, HasSubstr(word));
}

TEST(DeployOnnx, HoldsTheFirstStatesToTheBit) {
  deploy::Model model = deploy::read_network(*build(deploy_cases()[14]));
  EXPECT_THAT(deploy::write_onnx(model, "a test", false), Not(HasSubstr("_first")));
  model.layers[0].leak = {0.7};
  model.layers[0].start = {0.1, -0.3, 0, 1, 2, 3, 4, 5, 6, 7};
  const float first = 0.7F * 0.1F, second = 0.7F * -0.3F;
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "%.9g %.9g 0 ", static_cast<double>(first),
                static_cast<double>(second));
  EXPECT_THAT(deploy::write_onnx(model, "a test", false), HasSubstr(std::string("carried_0_first\x12")));
  EXPECT_THAT(deploy::write_onnx(model, "a test", false), HasSubstr(numbers));
}

/// Debian's, whose modules are packages; empty if it has not those that are needed.
std::string python_with_onnx(const TempDir& dir) {
  const std::string python = "/usr/bin/python3";
  return shell(python + " -c 'import onnx, numpy'", dir / "output").code == 0 ? python : "";
}

TEST(DeployOnnx, GivesTheOutputsOfTheNetwork) {
  TempDir dir;
  const std::string python = python_with_onnx(dir);
  if (python.empty()) GTEST_SKIP() << "python3-onnx is not installed";
  const torch::NoGradGuard no_grad;
  const auto write = [](const std::string& path, const Tensor& x) {
    const Tensor flat = x.contiguous();
    write_file_atomic(path, std::string(static_cast<const char*>(flat.data_ptr()), flat.nbytes()));
  };
  std::string folders;
  size_t n = 0;
  for (const DeployCase& of : deploy_cases()) {
    const auto network = build_spread(of);
    const Tensor x = random_input(of.input, 8, 4, false);
    Context context;
    Carry carry = network->start();
    const Tensor y = network->forward(Signal::dense(x), context, carry).values();
    const std::string folder = dir / of.name;
    write_all(folder, {{"step.onnx", deploy::write_onnx(deploy::read_network(*network), "a test", false)}});
    write(folder + "/x.bin", x);
    write(folder + "/y.bin", y);
    folders += " '" + folder + "'";
    ++n;
  }
  const ShellResult result = shell(
      python + " " ST_SOURCE_DIR "/tests/deploy/check_network.py 8 4" + folders + " 2>&1", dir / "output");
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_THAT(result.text, HasSubstr(str("compared ", n)));
}

TEST(DeployOnnx, TheToolAsksForSpikes) {
  TempDir dir;
  const std::string python = python_with_onnx(dir);
  if (python.empty()) GTEST_SKIP() << "python3-onnx is not installed";
  const DeployCase of = deploy_cases()[14];
  const deploy::Model model = deploy::read_network(*build(of));
  const auto program = deploy::lower(model, deploy::Input::real);
  deploy::CExport<deploy::Float> c;
  c.program = &program;
  c.samples = record_all(program, random_input(of.input, 2, 1, false));
  write_all(dir / "c", write_c(c));
  write_file_atomic(dir / "step.onnx", write_onnx(model, "a test", false));
  const std::string line =
      python + " " ST_SOURCE_DIR "/tools/check_onnx.py " + (dir / "step.onnx") + " " + (dir / "c");
  const ShellResult silent = shell(line + " 2>&1", dir / "output");
  EXPECT_EQ(silent.code, 1);
  EXPECT_THAT(silent.text, HasSubstr("expected a file written with --spikes"));
  EXPECT_EQ(shell(line + " --outputs-only 2>&1", dir / "output").code, 0);
}

TEST(DeployOnnx, GivesTheSpikesOfTheCProgram) {
  TempDir dir;
  const std::string python = python_with_onnx(dir);
  if (python.empty()) GTEST_SKIP() << "python3-onnx is not installed";
  for (const DeployCase& of : deploy_cases()) {
    const deploy::Model model = deploy::read_network(*build_spread(of));
    const bool counts = of.name == "soft" || of.name == "tdbn";
    const auto program = deploy::lower(model, counts ? deploy::Input::counts : deploy::Input::real);
    deploy::CExport<deploy::Float> c;
    c.program = &program;
    c.about = of.name;
    c.samples = record_all(program, random_input(of.input, 2, 1, false));
    write_all(dir / "c", write_c(c));
    write_file_atomic(dir / "step.onnx", write_onnx(model, "a test", true));
    const ShellResult result = shell(python + " " ST_SOURCE_DIR "/tools/check_onnx.py " +
                                         (dir / "step.onnx") + " " + (dir / "c") + " 2>&1",
                                     dir / "output");
    EXPECT_EQ(result.code, 0) << of.name << "\n" << result.text;
    EXPECT_THAT(result.text, HasSubstr("10 samples, 20 steps")) << of.name;
    EXPECT_THAT(result.text, Not(HasSubstr(" 0 spikes"))) << of.name;
  }
}

}  // namespace spiketrain::deploy_onnx_test
