#include "spiketrain/recipe/join_group.h"

#include <algorithm>

#include "spiketrain/base/text.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/engine/block_costs.h"

namespace spiketrain {
namespace {

/// Of process 0's first batch, the same for all.
std::vector<int64_t> measured_blocks(const Training& training, int64_t processes, Group& group) {
  std::vector<double> seconds;
  if (group.rank() == 0) {
    for (const BlockCost& cost : measure_blocks(*training.learner, measured_batch(training)))
      seconds.push_back(cost.seconds());
  }
  seconds = Config::parse(broadcast(group, Config(seconds).dump())).get<std::vector<double>>();
  return balanced(seconds, processes);
}

}  // namespace

Batch measured_batch(const Training& training) {
  LoaderOptions options;
  options.batch_size = std::min(training.options.batch, training.data.train->size());
  options.seed = static_cast<uint64_t>(training.options.seed);
  Loader loader(*training.data.train, options);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  return batch.to(training.device);
}

std::string join_group(Experiment& experiment, const std::shared_ptr<Group>& group) {
  const ParallelSection& section = experiment.recipe.parallel;
  Learner& learner = *experiment.training.learner;
  const Config layout = {{"line", section.line}, {"blocks", section.blocks}};
  const std::vector<std::string> all = group->gather(layout.dump());
  for (size_t rank = 1; rank < all.size(); ++rank)
    ST_CHECK(all[rank] == all[0], "the processes are to share blocks in one way: [parallel] has ", all[0],
             " in rank 0 and ", all[rank], " in rank ", rank, "; start all of them with the same recipe");
  ST_CHECK(section.blocks.empty() || static_cast<int64_t>(section.blocks.size()) == section.line,
           "parallel.blocks: expected a number for each of the ", section.line,
           section.line == 1 ? " process" : " processes", " of parallel.line, got ", section.blocks.size());
  if (section.line == 1) {
    learner.join(group);
    return str(group->size(), " processes, each with a share of every batch");
  }
  const Network& network = learner.network();
  ST_CHECK(section.line <= network.blocks(), "parallel.line: expected at most one process for each of the ",
           network.blocks(), network.blocks() == 1 ? " block" : " blocks", " of the network, got ",
           section.line, "; see [blocks]");
  check_line(learner.parts(), learner.plan());
  const std::vector<int64_t> blocks =
      section.blocks.empty() ? measured_blocks(experiment.training, section.line, *group) : section.blocks;
  learner.join(group, blocks);
  const int64_t lines = group->size() / section.line;
  std::string text = str(group->size(), " processes, ");
  if (lines > 1) text += str(lines, " lines with a share of every batch each, ");
  std::vector<std::string> sizes;
  for (const int64_t size : blocks) sizes.push_back(std::to_string(size));
  return text + "blocks " + join(sizes, " + ") + " from the input on";
}

}  // namespace spiketrain
