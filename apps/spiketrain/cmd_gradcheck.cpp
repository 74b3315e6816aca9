// spiketrain gradcheck RECIPE: the gradient of a recipe's method, parameter by parameter, beside that of full BPTT or of the
// neurons' definitions.  For whoever writes a rule, or wants to know what one leaves out.
#include <cmath>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/probe.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct GradcheckCommand {
  const CLI::App* line = nullptr;  ///< as it was given
  std::string recipe, data_dir, against = "bptt";
  std::vector<std::string> sets;
  int64_t samples = 8;
  double tolerance = -1;
  int threads = 0;
};

Recipe checked(const GradcheckCommand& command) {
  const Config config = load_config(command.recipe);
  const auto check = [&](const Overrides& overrides) {
    Recipe recipe = overridden(config, overrides.sets);
    check_recipe(recipe);
    return recipe;
  };
  const Overrides given = {command.sets, {}};
  try {
    return check(given);
  } catch (const UsageError& error) {
    throw with_working_command(error, given, check, *command.line);
  }
}

int run_gradcheck(const GradcheckCommand& command) {
  prepare_process(nullptr, command.threads);
  const Recipe recipe = checked(command);
  const Experiment experiment =
      build_experiment(recipe, open_datasets(recipe, command.data_dir), torch::kCPU);
  const Training& training = experiment.training;
  const bool definition = command.against == "definition";
  const auto rows =
      compare_gradients(training, command.samples, definition ? Reference::definition : Reference::bptt);
  const int64_t samples = std::min(command.samples, training.data.train->size());
  std::cout << training.network().notation() << "  rule " << recipe.rule.value("name", "") << ", schedule "
            << recipe.schedule.value("name", "") << ", T = " << recipe.steps << ", " << samples
            << " samples, float64, against "
            << (definition ? "autograd of the neurons' definitions" : "full BPTT") << '\n';
  std::vector<std::vector<std::string>> table = {
      {"layer", "parameter", "cosine", "norm ratio", "relative error"}};
  const auto text = [](double value) { return std::isnan(value) ? std::string("-") : number(value, 6); };
  double worst = 0;
  for (const GradientAgreement& row : rows) {
    table.push_back({row.layer, row.parameter, text(row.cosine), text(row.norm_ratio), text(row.error)});
    worst = std::isnan(row.error) ? INFINITY : std::max(worst, row.error);
  }
  print_table(table);
  if (command.tolerance < 0 || worst <= command.tolerance) return kOk;
  std::cerr << "spiketrain: gradcheck: the greatest relative error is " << number(worst, 6)
            << ", more than the tolerance " << number(command.tolerance, 6) << std::endl;
  return kFailure;
}

}  // namespace

void add_gradcheck(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<GradcheckCommand>();
  CLI::App* sub =
      app.add_subcommand("gradcheck", "compare a recipe's gradients with those of full BPTT, in float64");
  command->line = sub;
  sub->add_option("recipe", command->recipe, "RECIPE.toml")->required();
  sub->add_option("--set", command->sets, "override a recipe option, as in train")->allow_extra_args(false);
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--against", command->against,
                  "bptt: full backpropagation through time; definition: the same by autograd through every "
                  "step of the neurons, without kernels")
      ->check(CLI::IsMember({"bptt", "definition"}))
      ->capture_default_str();
  sub->add_option("--samples", command->samples, "first training samples, one batch")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  sub->add_option("--tolerance", command->tolerance, "exit with 1 if a relative error is greater")
      ->check(CLI::Range(0.0, 1e9));
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_gradcheck(*command); });
}

}  // namespace spiketrain::cli
