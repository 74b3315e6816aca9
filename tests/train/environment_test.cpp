// What may change the bits of a run is recorded, and a resumed run tells of it.
#include "spiketrain/train/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/runs.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::environment_test {

TEST(Environment, HasTheVariablesThatChooseCode) {
  for (const char* name : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA",
                           "ATEN_CPU_CAPABILITY", "MKL_CBWR"}) {
    {
      const ScopedVariable some(name, "some");
      EXPECT_EQ(environment("r").at("variables").at(name), "some") << name;
    }
    const ScopedVariable unset(name, nullptr);
    EXPECT_FALSE(environment("r").at("variables").contains(name)) << name;
  }
  EXPECT_FALSE(environment("r").at("cpu").get<std::string>().empty());
  EXPECT_NE(environment("r").at("blas"), "unknown");
}

TEST(Environment, Difference) {
  Config a = environment("r"), b = a;
  EXPECT_EQ(environment_difference(a, b), "");
  b["threads"] = 77;  // changes no bit
  EXPECT_EQ(environment_difference(a, b), "");
  a["variables"] = Config::object();
  b["variables"] = {{"OPENBLAS_CORETYPE", "Haswell"}};
  EXPECT_EQ(environment_difference(a, b), "OPENBLAS_CORETYPE (was unset, is Haswell)");
  a["plugins"] = b["plugins"] = {{{"path", "/a/one.so"}, {"sha256", "1"}}};
  b["plugins"][0]["path"] = "/elsewhere/one.so";
  EXPECT_EQ(environment_difference(a, b), "OPENBLAS_CORETYPE (was unset, is Haswell)");
  b["plugins"][0]["sha256"] = "2";
  b["plugins"].push_back({{"path", "/a/two.so"}, {"sha256", "3"}});
  EXPECT_EQ(
      environment_difference(a, b),
      "plugin one.so (was 1, is 2), plugin two.so (was unset, is 3), OPENBLAS_CORETYPE (was unset, is Haswell)");
  b["plugins"] = a["plugins"];
  b["simd"] = "SSE4";
  b["libtorch_config"] = std::string(500, 'x');
  const std::string text = environment_difference(a, b);
  EXPECT_NE(text.find(", is SSE4), libtorch_config, OPENBLAS"), std::string::npos) << text;
  a.erase("variables");  // written before they were recorded
  EXPECT_EQ(environment_difference(a, b).find("OPENBLAS"), std::string::npos);
  EXPECT_EQ(environment_difference(Config::object(), b), "");
}

TEST(Environment, AResumedRunWarns) {
  TempDir dir;
  const auto warnings = [&](const Config& environment) {
    LossRecorder recorder;
    run_part(dir / "run", {}, true, 1, &recorder, environment);
    int count = 0;
    for (const std::string& line : recorder.messages) {
      const bool names = line.find("cpu (was A, is B)") != std::string::npos;
      count += names && line.find("another environment") != std::string::npos;
    }
    return count;
  };
  EXPECT_FALSE(run_part(dir / "run", {}, false, 1, nullptr, {{"cpu", "A"}}));
  EXPECT_EQ(warnings({{"cpu", "A"}}), 0);
  EXPECT_EQ(warnings({{"cpu", "B"}}), 1);
}

}  // namespace spiketrain::environment_test
