#include "spiketrain/base/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/base/registration.h"
#include "spiketrain/base/text.h"
#include "spiketrain/version.h"

namespace spiketrain {
namespace {

std::vector<std::string>& loaded() {
  static std::vector<std::string> paths;
  return paths;
}

/// path -> why it was refused although it could be loaded: the loader does not register the parts of a file again.
std::map<std::string, std::string>& refused() {
  static std::map<std::string, std::string> reasons;
  return reasons;
}

/// Loads the file at an absolute path; returns what is wrong with its parts, "" if nothing is.  UsageError if it cannot
/// be loaded.
std::string load(const std::string& path) {
  Trial trial;
  ST_CHECK(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr, "plugin ", path, ": ", dlerror(),
           "; expected a shared library that is linked to libspiketrain.so ", version());
  const std::vector<std::string> copies = loaded_copies();
  if (copies.size() > 1)
    return "it brings another copy of Spiketrain: " + join(copies, " and ") +
           "; link it to the libspiketrain.so of this program";
  if (!trial.problems().empty()) return trial.problems().front();
  trial.keep();
  return "";
}

}  // namespace

void load_plugin(const std::string& path) {
  std::error_code error;
  const std::string full = std::filesystem::canonical(path, error).string();
  ST_CHECK(!error, "plugin ", path, ": ", error.message(), "; expected the path of a shared library");
  if (std::count(loaded().begin(), loaded().end(), full) > 0) return;
  auto reason = refused().find(full);
  if (reason == refused().end()) {
    std::string problem = load(full);
    if (problem.empty()) {
      loaded().push_back(full);
      return;
    }
    reason = refused().emplace(full, std::move(problem)).first;
  }
  throw UsageError("plugin " + path + ": " + reason->second);
}

std::vector<std::string> loaded_plugins() { return loaded(); }

}  // namespace spiketrain
