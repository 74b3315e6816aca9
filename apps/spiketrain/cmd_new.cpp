// spiketrain new RECIPE.toml: writes a commented recipe from a few answers.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/text.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/recipe/new_recipe.h"

namespace spiketrain::cli {
namespace {

struct NewCommand {
  std::string out, data_dir, data, rule, size, folder;
};

bool asks() { return isatty(STDIN_FILENO) != 0; }

/// A line from the terminal; `otherwise` if it is empty.
std::string line_for(const std::string& question, const std::string& otherwise) {
  std::cout << question << (otherwise.empty() ? "" : " [" + otherwise + "]") << ": " << std::flush;
  std::string answer;
  ST_CHECK(std::getline(std::cin, answer), "new: the input ended");
  return answer.empty() ? otherwise : answer;
}

/// One of the choices: what was given, or what the terminal answers, asked again until it is one; `otherwise` without a terminal.
std::string choose(const std::string& given, const std::string& question,
                   const std::vector<std::string>& choices, const std::string& otherwise) {
  if (!given.empty() || !asks()) return given.empty() ? otherwise : given;
  for (;;) {
    const std::string answer = line_for(question + " (" + join(choices) + ")", otherwise);
    if (std::find(choices.begin(), choices.end(), answer) != choices.end()) return answer;
    std::cout << "there is no '" << answer << "'" << spelled_like(answer, choices, ".") << '\n';
  }
}

std::vector<std::string> data_names() {
  std::vector<std::string> names;
  for (const DatasetInfo& info : dataset_infos())
    if (info.name != "given" && !info.table && info.shape.size() != 2) names.push_back(info.name);
  return names;
}

int run_new(const NewCommand& command) {
  ST_CHECK(!file_exists(command.out), "new: ", command.out, " is there already; give another name");
  const NewRecipe defaults;
  NewRecipe answers;
  const bool own = !command.folder.empty();
  answers.data = choose(command.data, "data", data_names(), own ? "event-folder" : defaults.data);
  answers.folder = command.folder;
  if (answers.data == "event-folder" && !own && asks())
    answers.folder = line_for("folder of the recordings", "");
  // The place that the user sees from here, wherever it is trained.
  if (!answers.folder.empty())
    answers.folder = std::filesystem::absolute(answers.folder).lexically_normal().string();
  answers.size = choose(command.size, "size of the network", NewRecipe::sizes(), defaults.size);
  answers.rule = choose(command.rule, "learning rule", Registry<Rule>::get().names(), defaults.rule);
  const std::string text = new_recipe(answers, command.data_dir);
  if (const auto folder = std::filesystem::path(command.out).parent_path(); !folder.empty())
    std::filesystem::create_directories(folder);
  write_file_atomic(command.out, text);
  const std::string file = shell_word(command.out);
  const bool elsewhere = dataset_info(answers.data).files && answers.folder.empty();
  const std::string dir = !elsewhere                 ? ""
                          : command.data_dir.empty() ? " --data-dir DIR"
                                                     : " --data-dir " + shell_word(command.data_dir);
  std::cout << "wrote " << command.out << "\n  what it costs:  spiketrain inspect " << file << dir
            << "\n  train it:       spiketrain train " << file << dir << '\n';
  return kOk;
}

}  // namespace

void add_new(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<NewCommand>();
  CLI::App* sub = app.add_subcommand(
      "new", "write a commented recipe from a few answers: options, or asked for at the terminal");
  sub->add_option("recipe", command->out, "file to write, such as mine.toml")->required();
  sub->add_option("--data", command->data, "data set (default: glyphs, which is built in)");
  sub->add_option("--folder", command->folder, "your own recordings: folder for data set event-folder");
  sub->add_option("--size", command->size, "of the network: small, medium or large (default: small)");
  sub->add_option("--rule", command->rule, "learning rule (default: bptt)");
  add_data_dir(*sub, command->data_dir);
  sub->callback([command, &exit_code] { exit_code = run_new(*command); });
}

}  // namespace spiketrain::cli
