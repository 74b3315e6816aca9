// --plugin FILE.so, for every command: loaded when the command line has been read, before a command looks up a part.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/plugin.h"

namespace spiketrain::cli {
namespace {

/// Whether --plugin has given a file of that name, which then stands for the recorded one.
bool is_given(const std::filesystem::path& recorded) {
  for (const std::string& path : loaded_plugins())
    if (std::filesystem::path(path).filename() == recorded.filename()) return true;
  return false;
}

/// The file that an entry of "plugins" names: {"path": ...}, or the path itself.  DataError if it names none.  A relative
/// one would be looked for wherever the program happens to be started.
std::string recorded_path(const Config& entry, const std::string& source) {
  const Config path = entry.is_object() ? entry.value("path", Config()) : entry;
  if (!path.is_string() || !std::filesystem::path(path.get<std::string>()).is_absolute())
    throw DataError(source, 0, "plugins: expected absolute paths, got " + entry.dump());
  return path;
}

}  // namespace

void add_plugins(CLI::App& command) {
  const auto load = [](const std::vector<std::string>& paths) {
    for (const std::string& path : paths) load_plugin(path);
  };
  command
      .add_option_function<std::vector<std::string>>(
          "--plugin", load, "shared library with parts of your own; may be given more than once")
      ->type_name("FILE")
      ->allow_extra_args(false);
  for (CLI::App* action : command.get_subcommands({})) add_plugins(*action);
}

void load_plugins_of(const Config& environment, const std::string& source) {
  for (const Config& entry : environment.value("plugins", Config::array())) {
    const std::string file = recorded_path(entry, source);
    if (is_given(file)) continue;
    ST_CHECK(file_exists(file), source, " names the plugin ", file,
             ", which is not there; give its place with --plugin");
    load_plugin(file);
  }
}

void load_plugins_of_run(const std::string& run_dir) {
  const std::string path = run_dir + "/environment.json";
  if (!file_exists(path)) return;
  const Bytes bytes = read_file(path);
  const Config recorded = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (recorded.is_object()) return load_plugins_of(recorded, path);
  std::cerr << "spiketrain: warning: " << path
            << " is no JSON object; plugins of the run must be given with --plugin" << std::endl;
}

}  // namespace spiketrain::cli
