// ST_ISA lowers the instruction set, and a wrong name is an error that names the right ones.
#include "spiketrain/kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::isa_test {

// ST_ISA is read once per process, so every case runs in a process of its own; exit code 3 means "as
// expected".
[[noreturn]] void finish(bool ok) { std::_Exit(ok ? 3 : 4); }

struct Isa : ::testing::Test {
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(Isa, DefaultIsTheBest) {
  const std::vector<std::string> isas = supported_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EXIT(
      {
        unsetenv("ST_ISA");
        finish(active_isa() == isas.front());
      },
      ::testing::ExitedWithCode(3), "");
}

TEST_F(Isa, EveryNameCanBeChosen) {
  for (const std::string& isa : supported_isas()) {
    EXPECT_EXIT(
        {
          setenv("ST_ISA", isa.c_str(), 1);
          finish(active_isa() == isa);
        },
        ::testing::ExitedWithCode(3), "")
        << isa;
  }
}

TEST_F(Isa, UnknownNameIsAUsageErrorListingTheSupportedOnes) {
  EXPECT_EXIT(
      {
        setenv("ST_ISA", "MMX", 1);
        try {
          cpu::tssl_forward<float>({}, {});
        } catch (const UsageError& e) {
          const std::string what = e.what();
          finish(what.find("MMX") != std::string::npos &&
                 what.find(supported_isas().front()) != std::string::npos);
        }
        finish(false);
      },
      ::testing::ExitedWithCode(3), "");
}

}  // namespace spiketrain::isa_test
