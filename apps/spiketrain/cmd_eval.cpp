// spiketrain eval RUN_DIR | FILE.safetensors: loss and metrics of a run's weights.
#include <cmath>
#include <iostream>
#include <optional>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/deploy/export.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct EvalCommand {
  TrainedRun from;
  std::string split = "test", device = "cpu", integer;
  int threads = 0;
  int64_t batch = 0;
  bool json = false;
};

using deploy::IntegerEvaluation;

Config rates_json(const Evaluation& result) {
  Config rates = Config::array();
  for (const LayerRate& layer : result.rates) rates.push_back({{"layer", layer.spec}, {"rate", layer.rate}});
  return rates;
}

void print_json(const EvalCommand& command, const std::string& path, const std::string& data,
                const Evaluation& result, const std::optional<IntegerEvaluation>& integer) {
  Config json = {{"checkpoint", path},
                 {"data", data},
                 {"split", command.split},
                 {"samples", result.samples},
                 {"loss", result.loss}};
  for (const auto& [metric, value] : result.metrics) json[metric] = value;
  json["seconds"] = result.seconds;
  json["rates"] = rates_json(result);
  if (integer) {
    Config& own = json["integer"] = {{"type", command.integer}, {"loss", integer->result.loss}};
    for (const auto& [metric, value] : integer->result.metrics) own[metric] = value;
    own["rates"] = rates_json(integer->result);
    own["input"] = {{"bits", integer->input_bits}, {"exponent", integer->input_exponent}};
    own["layers"] = Config::array();
    for (const deploy::Rounding& r : integer->rounding)
      own["layers"].push_back({{"layer", r.layer},
                               {"weight_exponent", r.weight_exponent},
                               {"membrane_exponent", r.membrane_exponent},
                               {"weight", r.weight},
                               {"leak", r.leak},
                               {"bias", r.bias},
                               {"reset", r.drop}});
  }
  std::cout << json.dump() << '\n';
}

void print_scores(const Training& training, const Evaluation& result) {
  const MetricSet metrics(training.metrics, training.learner->parts().target);
  std::string text;
  for (const std::string& metric : metrics.labels())
    if (metric != "loss") text += metric + " " + metric_text(metric, result.at(metric)) + "  ";
  std::cout << text << "loss " << number(result.loss, 6) << "  samples " << thousands(result.samples) << "  "
            << duration(result.seconds) << "\n";
}

void print_text(const Training& training, const Evaluation& result) {
  print_scores(training, result);
  std::vector<std::vector<std::string>> rows = {{"layer", "firing rate"}};
  for (const LayerRate& layer : result.rates) rows.push_back({layer.spec, percent(layer.rate)});
  print_table(rows);
}

void print_integer(const Training& training, const std::string& type, const IntegerEvaluation& integer) {
  std::cout << "in integer arithmetic (" << type << "):\n";
  print_text(training, integer.result);
  std::vector<std::vector<std::string>> rows = {
      {"layer", "weight unit", "membrane unit", "weights moved by", "leak by", "bias by", "reset by"}};
  for (const deploy::Rounding& r : integer.rounding) {
    rows.push_back({r.layer, str("2^", -r.weight_exponent), str("2^", -r.membrane_exponent),
                    percent(r.weight), number(r.leak, 2), percent(r.bias), percent(r.drop)});
  }
  print_table(rows);
  std::cout << integer.input << "\n";
}

int run_eval(const EvalCommand& command) {
  prepare_process(nullptr, command.threads);  // main.cpp has seen to the waiting
  const torch::Device device = parse_device(command.device);
  ST_CHECK(command.integer.empty() || device.is_cpu(),
           "eval --integer: integers run on the CPU, got --device ", command.device);
  const Trained trained = load_trained(command.from, device);
  const Recipe& recipe = trained.experiment.recipe;
  const Training& training = trained.experiment.training;
  const auto& data = command.split == "train"        ? training.data.train
                     : command.split == "validation" ? training.data.validation
                                                     : training.data.test;
  ST_CHECK(data, "eval: the recipe has no validation split (data.validation = 0)");
  const int64_t batch = command.batch > 0 ? command.batch : recipe.data.batch;
  const Evaluation result = evaluate(training, *data, batch);
  if (!std::isfinite(result.loss))
    throw NumericError(str("eval: loss ", result.loss, " with the weights of ", trained.path));
  std::optional<IntegerEvaluation> integer;
  if (!command.integer.empty()) integer = deploy::evaluate_integer(training, *data, batch, command.integer);
  if (command.json) {
    print_json(command, trained.path, recipe.data.name, result, integer);
    return kOk;
  }
  std::cout << data->describe() << "\n" << trained.path << "\n";
  print_text(training, result);
  if (integer) print_integer(training, command.integer, *integer);
  return kOk;
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "measure a run's weights on a data set");
  command->from.command = "eval";
  add_trained(*sub, command->from);
  sub->add_option("--split", command->split, "which samples")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  sub->add_option("--batch", command->batch, "samples per batch; 0: as in training")
      ->check(CLI::Range(0, 1000000));
  sub->add_option("--integer", command->integer,
                  "also in integer arithmetic, as `export c` writes it: weights of 8 bits (q7) or 16 (q15)")
      ->check(CLI::IsMember({"q7", "q15"}));
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->add_flag("--json", command->json, "one JSON object instead of text");
  sub->callback([command, &exit_code] { exit_code = run_eval(*command); });
}

}  // namespace spiketrain::cli
