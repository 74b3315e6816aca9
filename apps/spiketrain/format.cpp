// Text for people.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/report/sweep_results.h"

namespace spiketrain::cli {

void add_data_dir(CLI::App& command, std::string& dir) {
  command.add_option("--data-dir", dir, "folder that holds mnist/, cifar10/, ...")
      ->envname("SPIKETRAIN_DATA");
}

CLI::Option* add_out(CLI::App& command, std::string& out, const std::string& what,
                     const std::string& option) {
  return command.add_option(option, out, what)->check([](const std::string& path) -> std::string {
    if (path.find_first_not_of(' ') != std::string::npos) return "";
    return "expected a name, got '" + path + "'";
  });
}

void print_table(const std::vector<std::vector<std::string>>& rows, int indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line(static_cast<size_t>(indent), ' ');
    for (size_t c = 0; c < row.size(); ++c) {
      line += row[c];
      if (c + 1 < row.size()) line += std::string(widths[c] - row[c].size() + 2, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    std::cout << line << '\n';
  }
}

std::string option_words(const CLI::App& command, const std::vector<std::string>& without) {
  std::string text;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool left_out = std::find(without.begin(), without.end(), name) != without.end();
    if (option->count() == 0 || option->get_positional() || left_out) continue;
    std::vector<std::string> values = option->results();
    if (option->get_items_expected_max() == 0) {  // a flag
      text += " " + name;
      continue;
    }
    if (option->get_delimiter() != '\0') values = {join(values, std::string(1, option->get_delimiter()))};
    for (const std::string& value : values) text += " " + name + " " + shell_word(value);
  }
  return text;
}

namespace {

/// The command with other --set and --over.
std::string command_line(const CLI::App& command, const Overrides& overrides) {
  std::string text = "spiketrain " + command.get_name();
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    for (const std::string& word : option->results()) text += " " + shell_word(word);
  }
  for (const std::string& over : overrides.overs) text += " --over " + shell_word(over);
  for (const std::string& set : overrides.sets) text += " --set " + shell_word(set);
  return text + option_words(command, {"--over", "--set"});
}

}  // namespace

UsageError with_working_command(const UsageError& error, const Overrides& given,
                                const std::function<void(const Overrides&)>& check, const CLI::App& command) {
  const std::optional<Overrides> working = working_overrides(given, check);
  if (!working) return error;
  return UsageError(str(error.what(), "; this works: ", command_line(command, *working),
                        " (a part given by its name has its defaults; with options: --set "
                        "'neuron={name=\"lif\", ...}')"));
}

std::string explain(const OptionDoc& option) {
  return option.allowed.empty() ? option.help : option.help + "; " + option.allowed;
}

std::string percent(double fraction) {
  const double size = std::abs(fraction);
  char text[32];  // what is not zero does not look so
  std::snprintf(text, sizeof(text), size > 0 && size < 5e-5 ? "%.1g %%" : "%.2f %%", 100.0 * fraction);
  return text;
}

std::string metric_text(const std::string& metric, double value) {
  if (std::isnan(value)) return "-";
  return is_share(metric) ? percent(value) : number(value);
}

std::string number(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.*g", digits, value);
  return text;
}

std::string duration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::min(std::max(seconds, 0.0), 1e9)));
  char text[48];
  if (total >= 3600) {
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", static_cast<long long>(total / 3600),
                  static_cast<long long>(total / 60 % 60), static_cast<long long>(total % 60));
  } else {
    std::snprintf(text, sizeof(text), "%lld:%02lld", static_cast<long long>(total / 60),
                  static_cast<long long>(total % 60));
  }
  return text;
}

std::string thousands(int64_t value) {
  std::string text = std::to_string(value);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
    text.insert(static_cast<size_t>(at), ",");
  }
  return text;
}

}  // namespace spiketrain::cli
