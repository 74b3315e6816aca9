// spiketrain eval RUN_DIR | FILE.safetensors: loss and metrics of a run's weights.
#include <cmath>
#include <iostream>
#include <optional>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/base/file.h"
#include "spiketrain/core/weight_storage.h"
#include "spiketrain/deploy/export.h"
#include "spiketrain/report/predictions.h"
#include "spiketrain/train/dormant.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct EvalCommand {
  TrainedRun from;
  std::string split = "test", device = "cpu", integer, predictions;
  int threads = 0;
  int64_t batch = 0, limit = 0;
  bool json = false, confusion = false, dormant = false;
};

using deploy::IntegerEvaluation;
/// [slot] Share of dormant neurons.
using Dormant = std::map<int64_t, double>;

/// `dormant`, unless null: that of each layer, null where its neurons have no surrogate derivative.
Config rates_json(const Evaluation& result, const Dormant* dormant = nullptr) {
  Config rates = Config::array();
  for (const LayerRate& layer : result.rates) {
    rates.push_back({{"layer", layer.spec}, {"rate", layer.rate}});
    if (!dormant) continue;
    const auto it = dormant->find(layer.slot);
    rates.back()["dormant"] = it == dormant->end() ? Config() : Config(it->second);
  }
  return rates;
}

/// What an evaluation found.
struct Found {
  Evaluation result;
  std::optional<Predictions> predictions;  ///< if asked for, or for the confusions
  std::optional<IntegerEvaluation> integer;
  std::optional<Dormant> dormant;
};

void print_json(const EvalCommand& command, const std::string& path, const std::string& data,
                const WeightStorage& storage, const Found& found) {
  const Evaluation& result = found.result;
  const std::optional<IntegerEvaluation>& integer = found.integer;
  Config json = {{"checkpoint", path},
                 {"data", data},
                 {"split", command.split},
                 {"samples", result.samples},
                 {"loss", result.loss}};
  for (const auto& [metric, value] : result.metrics) json[metric] = value;
  json["seconds"] = result.seconds;
  json["rates"] = rates_json(result, found.dormant ? &*found.dormant : nullptr);
  if (storage.switched()) json["storage"] = storage.json();
  if (command.confusion) {
    const std::vector<std::string>& names = found.predictions->target().class_names;
    if (!names.empty()) json["class_names"] = names;
    json["confusion"] = found.predictions->confusion();
    json["class_accuracy"] = Config::array();
    for (size_t c = 0; c < found.predictions->confusion().size(); ++c)
      json["class_accuracy"].push_back(found.predictions->accuracy(c));
  }
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

void print_text(const Training& training, const Evaluation& result,
                const std::optional<Dormant>& dormant = {}) {
  print_scores(training, result);
  std::vector<std::vector<std::string>> rows = {{"layer", "firing rate"}};
  if (dormant) rows[0].push_back("dormant");
  for (const LayerRate& layer : result.rates) {
    rows.push_back({layer.spec, percent(layer.rate)});
    if (!dormant) continue;
    const auto it = dormant->find(layer.slot);
    rows.back().push_back(it == dormant->end() ? "-" : percent(it->second));
  }
  print_table(rows);
}

/// Rows: the class of the sample; columns: the class that was predicted.
void print_confusion(const Predictions& predictions) {
  const auto& counts = predictions.confusion();
  std::vector<std::vector<std::string>> rows = {{"class", "accuracy"}};
  for (size_t c = 0; c < counts.size(); ++c) rows[0].push_back(str("as ", c));
  for (size_t c = 0; c < counts.size(); ++c) {
    const double share = predictions.accuracy(c);
    rows.push_back(
        {predictions.target().class_text(static_cast<int64_t>(c)), std::isnan(share) ? "-" : percent(share)});
    for (const int64_t n : counts[c]) rows.back().push_back(n > 0 ? std::to_string(n) : ".");
  }
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

Found evaluate(const EvalCommand& command, const Trained& trained, const SomeSamples& data) {
  const Training& training = trained.experiment.training;
  const int64_t batch = command.batch > 0 ? command.batch : trained.experiment.recipe.data.batch;
  Found found;
  if (command.confusion || !command.predictions.empty()) found.predictions.emplace(data);
  ST_CHECK(!command.confusion || found.predictions->classes(), "eval --confusion: the targets of data set ",
           trained.experiment.recipe.data.name, " are no classes");
  std::optional<DormantWatch> watch;
  if (command.dormant) watch.emplace();
  found.result = spiketrain::evaluate(training, data, batch, [&](const Batch& there, const PassResult& pass) {
    if (found.predictions) found.predictions->add(there, pass);
    if (watch) watch->end_batch();
  });
  if (watch) found.dormant = watch->shares();
  watch.reset();
  if (!std::isfinite(found.result.loss))
    throw NumericError(str("eval: loss ", found.result.loss, " with the weights of ", trained.path));
  if (!command.integer.empty())
    found.integer = deploy::evaluate_integer(training, data, batch, command.integer);
  return found;
}

int run_eval(const EvalCommand& command) {
  prepare_process(nullptr, command.threads);  // main.cpp has seen to the waiting
  const torch::Device device = parse_device(command.device);
  ST_CHECK(command.integer.empty() || device.is_cpu(),
           "eval --integer: integers run on the CPU, got --device ", command.device);
  const Trained trained = load_trained(command.from, device);
  const Training& training = trained.experiment.training;
  const auto split = training.data.split(command.split);
  const SomeSamples data(split, command.limit);
  const Found found = evaluate(command, trained, data);
  if (!command.predictions.empty()) write_file_atomic(command.predictions, found.predictions->csv());
  if (command.json) {
    print_json(command, trained.path, trained.experiment.recipe.data.name, weight_storage(training.network()),
               found);
    return kOk;
  }
  std::cout << split->describe() << "\n" << trained.path << "\n";
  print_text(training, found.result, found.dormant);
  if (const WeightStorage storage = weight_storage(training.network()); storage.switched())
    std::cout << storage.text() << "\n";
  if (command.confusion) print_confusion(*found.predictions);
  if (found.integer) print_integer(training, command.integer, *found.integer);
  if (!command.predictions.empty()) std::cout << "writes " << command.predictions << "\n";
  return kOk;
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval", "measure a run's weights on a data set");
  command->from.command = "eval";
  add_trained(*sub, command->from);
  add_split(*sub, command->split);
  sub->add_option("--batch", command->batch, "samples per batch; 0: as in training")
      ->check(CLI::Range(0, 1000000));
  sub->add_option("--limit", command->limit, "only so many samples, at equal distances; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1000000000}));
  sub->add_flag("--confusion", command->confusion,
                "also which class was taken for which, and the accuracy of each class");
  sub->add_flag("--dormant", command->dormant,
                "also the share of neurons of each layer that no error reaches in a sample: their surrogate "
                "derivative is zero at every step");
  add_out(*sub, command->predictions, "CSV file, a line a sample: target, prediction and outputs",
          "--predictions");
  sub->add_option("--integer", command->integer,
                  "also in integer arithmetic, as `export c` writes it: weights of 8 bits (q7) or 16 (q15)")
      ->check(CLI::IsMember({"q7", "q15"}));
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->add_flag("--json", command->json, "one JSON object instead of text");
  sub->callback([command, &exit_code] { exit_code = run_eval(*command); });
}

}  // namespace spiketrain::cli
