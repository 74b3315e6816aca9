#include "spiketrain/train/environment.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <cstdlib>
#include <fstream>

#include "spiketrain/base/plugin.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {
namespace {

/// Variables that choose code, and with it the order of sums, in LibTorch, OpenBLAS, oneDNN, MKL and our kernels.
constexpr const char* kBitsVariables[] = {"ATEN_CPU_CAPABILITY",
                                          "DNNL_CPU_ISA_HINTS",
                                          "DNNL_DEFAULT_FPMATH_MODE",
                                          "DNNL_MAX_CPU_ISA",
                                          "MKL_CBWR",
                                          "MKL_DEBUG_CPU_TYPE",
                                          "MKL_ENABLE_INSTRUCTIONS",
                                          "ONEDNN_CPU_ISA_HINTS",
                                          "ONEDNN_DEFAULT_FPMATH_MODE",
                                          "ONEDNN_MAX_CPU_ISA",
                                          "OPENBLAS_CORETYPE",
                                          "OPENBLAS_L2_SIZE",
                                          "ST_ISA"};

Config bits_variables() {
  Config set = Config::object();
  for (const char* name : kBitsVariables) {
    if (const char* value = std::getenv(name)) set[name] = value;
  }
  return set;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// Which BLAS LibTorch found; what an OpenBLAS says of itself names the kernels it has chosen.
std::string blas() {
  if (void* config = dlsym(RTLD_DEFAULT, "openblas_get_config"))
    return reinterpret_cast<const char* (*)()>(config)();
  Dl_info info{};
  void* product = dlsym(RTLD_DEFAULT, "sgemm_");
  return product && dladdr(product, &info) != 0 ? info.dli_fname : "unknown";
}

Config plugins() {
  Config list = Config::array();
  for (const std::string& path : loaded_plugins())
    list.push_back({{"path", path}, {"sha256", digest_file(path).sha256}});
  return list;
}

/// {"libmine.so": "0a2c..."}: a plugin may lie elsewhere now.
Config digests(const Config& plugins) {
  Config by_name = Config::object();
  for (const Config& one : plugins) {
    const std::string path = one.at("path");
    by_name[path.substr(path.rfind('/') + 1)] = one.at("sha256");
  }
  return by_name;
}

}  // namespace

Config environment(const std::string& revision) {
  return {{"revision", revision},
          {"compiler", __VERSION__},
          {"cpu", cpu_model()},
          {"simd", active_isa()},
          {"threads", at::get_num_threads()},
          {"variables", bits_variables()},
          {"libtorch", TORCH_VERSION},
          {"libtorch_config", torch::show_config()},
          {"blas", blas()},
          {"plugins", plugins()}};
}

std::string environment_difference(const Config& before, const Config& now) {
  std::vector<std::string> list;
  const auto compare = [&](const std::string& name, const Config& a, const Config& b) {
    if (a == b) return;
    const auto text = [](const Config& value) {
      return value.is_string() ? value.get<std::string>() : value.is_null() ? "unset" : value.dump();
    };
    constexpr size_t kShort = 60;
    const bool brief = text(a).size() <= kShort && text(b).size() <= kShort;
    list.push_back(brief ? str(name, " (was ", text(a), ", is ", text(b), ")") : name);
  };
  for (const char* key :
       {"revision", "compiler", "cpu", "simd", "libtorch", "libtorch_config", "blas", "device", "shares"}) {
    if (before.contains(key) && now.contains(key)) compare(key, before[key], now[key]);
  }
  if (before.contains("plugins") && now.contains("plugins")) {
    const Config a = digests(before["plugins"]), b = digests(now["plugins"]);
    Config names = a;
    names.update(b);
    for (const auto& plugin : names.items())
      compare("plugin " + plugin.key(), a.value(plugin.key(), Config()), b.value(plugin.key(), Config()));
  }
  const Config none = Config::object();
  const Config a = before.value("variables", none), b = now.value("variables", none);
  if (!before.contains("variables") || !now.contains("variables")) return join(list);
  for (const char* name : kBitsVariables) compare(name, a.value(name, Config()), b.value(name, Config()));
  return join(list);
}

}  // namespace spiketrain
