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

TEST(DeployOnnx, GivesTheSpikesOfTheCProgram) {
  const std::string python = "/usr/bin/python3";  // Debian's, whose modules are packages
  TempDir dir;
  if (shell(python + " -c 'import onnx, numpy'", dir / "output").code != 0)
    GTEST_SKIP() << "python3-onnx is not installed";
  for (const DeployCase& of : deploy_cases()) {
    const deploy::Model model = deploy::read_network(*build_spread(of));
    const bool rest = of.name == "soft" || of.name == "tdbn";
    const auto program = deploy::lower(model, rest ? deploy::Input::counts : deploy::Input::real);
    deploy::CExport<deploy::Float> c;
    c.program = &program;
    c.about = of.name;
    c.samples = record_all(program, random_input(of.input, 2, 1, false));
    write_all(dir / "c", write_c(c));
    write_file_atomic(dir / "step.onnx", write_onnx(model, "a test", true));
    if (of.name == "per channel" || of.name == "per neuron")
      continue;  // their first states are not one number
    const ShellResult result = shell(python + " " ST_SOURCE_DIR "/tools/check_onnx.py " +
                                         (dir / "step.onnx") + " " + (dir / "c") + " 2>&1",
                                     dir / "output");
    EXPECT_EQ(result.code, 0) << of.name << "\n" << result.text;
    EXPECT_THAT(result.text, HasSubstr("10 samples, 20 steps")) << of.name;
    EXPECT_THAT(result.text, Not(HasSubstr(" 0 spikes"))) << of.name;
  }
}

}  // namespace spiketrain::deploy_onnx_test
