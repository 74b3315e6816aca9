// --plugin FILE.so, for every command: loaded when the command line has been read, before a command looks up a part.
#include <filesystem>

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

void load_plugins_of_run(const std::string& run_dir) {
  const std::string path = run_dir + "/environment.json";
  if (!file_exists(path)) return;
  const Bytes bytes = read_file(path);
  const Config recorded = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!recorded.is_object()) throw DataError(path, 0, "is no JSON object");
  for (const Config& plugin : recorded.value("plugins", Config::array())) {
    if (!plugin.is_string()) throw DataError(path, 0, "plugins: expected paths, got " + plugin.dump());
    const auto file = plugin.get<std::string>();
    if (is_given(file)) continue;
    ST_CHECK(file_exists(file), "the run in ", run_dir, " was started with the plugin ", file,
             ", which is not there; give its place with --plugin");
    load_plugin(file);
  }
}

}  // namespace spiketrain::cli
