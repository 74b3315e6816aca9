// `spiketrain check`: what it compares, prints and refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/isa.h"
#include "tests/support/process.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::check_cli_test {

struct Result {
  int code;
  std::string text;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
  int64_t lines() const { return std::count(text.begin(), text.end(), '\n'); }
};

class CheckCli : public ::testing::Test {
 protected:
  Result run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {ST_CLI, "check"});
    const int code = wait_for(spawn(arguments, dir_ / "output"));
    const Bytes bytes = read_file(dir_ / "output");
    return {code, std::string(bytes.begin(), bytes.end())};
  }
  void expect_error(const std::vector<std::string>& arguments, const std::string& part) {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_TRUE(result.has(part)) << result.text;
    EXPECT_EQ(result.lines(), 1) << result.text;
  }
  TempDir dir_;
};

TEST_F(CheckCli, ComparesEveryKernelAtOneInstructionSet) {
  const Result result = run({"--isa", supported_isas().front()});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.lines(), static_cast<int64_t>(cpu::kernel_cases().size())) << result.text;
  for (const cpu::KernelCases& kernel : cpu::kernel_cases()) {
    EXPECT_TRUE(result.has(kernel.name + " ")) << kernel.name;
    EXPECT_TRUE(result.has(kernel.compared)) << kernel.name;
  }
}

TEST_F(CheckCli, ComparesOneKernelAtEveryInstructionSet) {
  const Result result = run({"--kernel", "sum_squares"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.lines(), 1) << result.text;
  size_t cases = 0;
  for (const cpu::KernelCases& kernel : cpu::kernel_cases()) {
    if (kernel.name == "sum_squares") cases = kernel.cases.size();
  }
  EXPECT_TRUE(result.has(str("ok  ", cases * supported_isas().size(), " comparisons at "))) << result.text;
  for (const std::string& isa : supported_isas()) EXPECT_TRUE(result.has(isa)) << isa;
}

// ST_ISA lowers what runs otherwise; here every instruction set is meant.
TEST_F(CheckCli, DoesNotDependOnTheVariable) {
  const std::string least = supported_isas().back();
  const ScopedVariable lowered("ST_ISA", least.c_str());
  const Result result = run({"--kernel", "psp_scan", "--kernel", "pool2d_forward"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.lines(), 2) << result.text;
  EXPECT_TRUE(result.has(supported_isas().front())) << result.text;
}

TEST_F(CheckCli, IsListed) {
  EXPECT_EQ(wait_for(spawn({ST_CLI, "help"}, dir_ / "output")), 0);
  const Bytes bytes = read_file(dir_ / "output");
  EXPECT_NE(std::string(bytes.begin(), bytes.end()).find("\n  check "), std::string::npos);
}

TEST_F(CheckCli, RefusesUnknownNames) {
  expect_error({"--kernel", "lif_foward"}, "did you mean 'lif_forward'? Kernels: channel_adjoint");
  expect_error({"--isa", "MMX"}, "expected one of " + supported_isas().front());
  expect_error({"--kernel", "psp_scan", "--isa", supported_isas().front(), "--isa", "MMX"}, "MMX");
  expect_error({"--no-such-option"}, "--no-such-option");
}

}  // namespace spiketrain::check_cli_test
