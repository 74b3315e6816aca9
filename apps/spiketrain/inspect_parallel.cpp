#include "apps/spiketrain/inspect_parallel.h"

#include <algorithm>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/engine/block_costs.h"
#include "spiketrain/engine/gradients.h"
#include "spiketrain/engine/shares.h"
#include "spiketrain/recipe/join_group.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

/// From two batches, one of them with a quarter of the samples.
StepModel measured_step(const Training& training) {
  constexpr int kPasses = 5;
  const Learner& learner = *training.learner;
  const Network& network = learner.network();
  const Batch batch = measured_batch(training);
  const int64_t n = batch.size(), fewer = std::max<int64_t>(1, n / 4);
  const std::vector<BlockCost> all = measure_blocks(learner, batch, kPasses),
                               some = measure_blocks(learner, share_of(batch, 0, fewer), kPasses);
  const auto line = [&](double BlockCost::*part, size_t b) {
    return LinearCost::through(static_cast<double>(n), all[b].*part, static_cast<double>(fewer),
                               some[b].*part);
  };
  const std::vector<NamedTensors> parameters = parameters_by_block(network);
  StepModel step;
  step.batch = n;
  step.windows = static_cast<int64_t>(learner.plan().size());
  for (size_t b = 0; b < all.size(); ++b) {
    BlockModel block;
    block.forward = line(&BlockCost::forward, b);
    block.backward = line(&BlockCost::backward, b);
    block.spikes = static_cast<double>(all[b].message) / static_cast<double>(n);
    if (b + 1 < all.size())
      block.gradient =
          sizeof(float) *
          static_cast<double>(numel(network.block_shape(static_cast<int64_t>(b))) * learner.parts().steps);
    for (const auto& item : parameters[b]) block.parameters += static_cast<double>(item.second.nbytes());
    step.blocks.push_back(block);
  }
  return step;
}

std::string layers_text(const Network& network, int64_t b) {
  std::vector<std::string> tokens;
  for (size_t n = 0; n < network.nodes().size(); ++n) {
    const Network::Node& node = network.nodes()[n];
    if (node.head_of < 0 && !node.token.empty() && network.block_of(static_cast<int64_t>(n)) == b)
      tokens.push_back(node.token);
  }
  return join(tokens, "-");
}

std::string in_milliseconds(double seconds) { return number(1e3 * seconds, 3); }
std::string kibibytes(double bytes) { return number(bytes / 1024, 3); }

void print_blocks(const StepModel& step, const Network& network) {
  const auto n = static_cast<double>(step.batch);
  std::vector<std::vector<std::string>> rows = {
      {"block", "layers", "forward ms", "backward ms", "hands on KiB", "gradients KiB"}};
  for (size_t b = 0; b < step.blocks.size(); ++b) {
    const BlockModel& block = step.blocks[b];
    rows.push_back({std::to_string(b), layers_text(network, static_cast<int64_t>(b)),
                    in_milliseconds(block.forward.at(n)), in_milliseconds(block.backward.at(n)),
                    kibibytes(block.spikes * n), kibibytes(block.parameters)});
  }
  print_table(rows);
}

struct Way {
  const char* name;
  std::optional<StepPrediction> (*predict)(const StepModel&, int64_t, const Machines&);
};
constexpr Way kWays[] = {{"data", predict_data}, {"blocks", predict_blocks}, {"pipeline", predict_pipeline}};

std::string layout_text(const StepPrediction& p) {
  std::vector<std::string> parts, sizes;
  if (p.shares > 1) parts.push_back(str(p.shares, " shares"));
  for (const int64_t size : p.line) sizes.push_back(std::to_string(size));
  if (sizes.size() > 1) parts.push_back("blocks " + join(sizes, "+"));
  if (p.pieces > 1) parts.push_back(str(p.pieces, " pieces"));
  return parts.empty() ? "-" : join(parts);
}

Config prediction_json(const Way& way, int64_t processes, const StepPrediction& p) {
  return {{"way", way.name},    {"processes", processes}, {"blocks", p.line}, {"shares", p.shares},
          {"pieces", p.pieces}, {"seconds", p.seconds},   {"idle", p.idle},   {"bytes_sent", p.sent}};
}

Config step_json(const StepModel& step) {
  Config json = {{"batch", step.batch}, {"blocks", Config::array()}};
  const auto n = static_cast<double>(step.batch);
  for (const BlockModel& block : step.blocks)
    json["blocks"].push_back({{"forward_seconds", block.forward.at(n)},
                              {"backward_seconds", block.backward.at(n)},
                              {"bytes_handed_on", block.spikes * n},
                              {"gradient_bytes", block.parameters}});
  return json;
}

/// 1, 2, 4, ... and the number that was asked for.
std::vector<int64_t> counts_up_to(int64_t most) {
  std::vector<int64_t> counts;
  for (int64_t n = 1; n < most; n *= 2) counts.push_back(n);
  counts.push_back(most);
  return counts;
}

void print_predictions(const StepModel& step, const ParallelQuestion& question, Config& json) {
  const Machines machines = question.machines();
  const double alone = predict_data(step, 1, machines)->seconds;
  std::vector<std::vector<std::string>> rows = {
      {"processes", "way", "layout", "ms a step", "times as fast", "idle", "MB sent a step"}};
  for (const int64_t processes : counts_up_to(question.processes)) {
    for (const Way& way : kWays) {
      const auto p = way.predict(step, processes, machines);
      if (!p) continue;
      json["predictions"].push_back(prediction_json(way, processes, *p));
      rows.push_back({std::to_string(processes), way.name, layout_text(*p), in_milliseconds(p->seconds),
                      number(alone / p->seconds, 3), percent(p->idle), number(p->sent / 1e6, 4)});
    }
  }
  if (!question.json) print_table(rows);
}

}  // namespace

void add_parallel(CLI::App& command, ParallelQuestion& question) {
  CLI::Option* asked =
      command
          .add_option(
              "--parallel", question.processes,
              "predict what a training step takes in 1, 2, 4, ... up to so many processes, from what each block "
              "takes here")
          ->check(CLI::Range(1, 4096));
  const auto detail = [&](auto* option) { option->needs(asked)->capture_default_str(); };
  detail(
      command.add_option("--bandwidth", question.bandwidth_mb, "with --parallel: MB/s between two processes")
          ->check(CLI::Range(0.001, 1e6)));
  detail(command.add_option("--latency", question.latency_us, "with --parallel: microseconds of a message")
             ->check(CLI::Range(0.0, 1e6)));
  detail(command
             .add_option("--cores", question.cores,
                         "with --parallel: that all processes have together; 0: one each")
             ->check(CLI::Range(0, 1000000)));
  detail(command.add_option("--threads", question.threads, "with --parallel: of each process")
             ->check(CLI::Range(1, 1024)));
  command.add_flag("--json", question.json, "with --parallel: as one line of JSON")->needs(asked);
}

void inspect_parallel(const Config& recipe, const std::vector<std::string>& sets, const std::string& data_dir,
                      const std::string& run, const ParallelQuestion& question) {
  prepare_process(nullptr, static_cast<int>(question.threads));
  const Recipe made = overridden(recipe, sets);
  Experiment experiment = build_experiment(made, open_datasets(made, data_dir));
  begin_training(experiment, "", /*resume=*/false);
  Training& training = experiment.training;
  const std::string weights = run + "/ckpt/best.safetensors";
  const bool trained = !run.empty() && file_exists(weights);
  if (trained) load_weights(open_checkpoint(weights), training.network());
  const StepModel step = measured_step(training);
  const Machines machines = question.machines();
  Config json = step_json(step);
  json["network"] = training.network().notation();
  json["predictions"] = Config::array();
  if (!question.json) {
    std::cout << training.network().notation() << "   a step of " << step.batch << " samples, measured with "
              << (trained ? "the weights of the run" : "initial weights") << " and " << question.threads
              << (question.threads == 1 ? " thread\n" : " threads\n");
    print_blocks(step, training.network());
    std::cout << "\npredicted: " << number(machines.bandwidth / 1e6) << " MB/s and "
              << number(1e6 * machines.latency) << " us between processes, "
              << (machines.cores > 0 ? str(machines.cores, " cores for all") : "a core for each")
              << "; docs/parallel.md says how\n";
  }
  print_predictions(step, question, json);
  if (question.json) std::cout << json.dump() << '\n';
}

}  // namespace spiketrain::cli
