// Lets one test executable run once per instruction set: with ST_ISA naming one that this machine lacks, the
// whole run ends with kSkipped, which ctest shows as "skipped" where SKIP_RETURN_CODE says so and as a
// failure elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>

#include "spiketrain/kernels/isa.h"

namespace spiketrain {
namespace {

constexpr int kSkipped = 77;

struct IsaEnvironment : ::testing::Environment {
  void SetUp() override {
    const char* name = std::getenv("ST_ISA");
    if (name == nullptr || *name == '\0') return;
    const std::vector<std::string> isas = supported_isas();
    if (std::find(isas.begin(), isas.end(), name) != isas.end()) return;
    std::cout << "skipped: this machine cannot run " << name << std::endl;
    std::exit(kSkipped);
  }
};

const ::testing::Environment* const kEnvironment = ::testing::AddGlobalTestEnvironment(new IsaEnvironment);

}  // namespace
}  // namespace spiketrain
