#include "spiketrain/cost/parallel_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spiketrain/engine/block_costs.h"
#include "spiketrain/engine/gradient_sums.h"

namespace spiketrain {
namespace {

/// Of gradients; the last goes out when the backward pass has ended.
constexpr auto kBucket = static_cast<double>(GradientSums::kBucketBytes);

/// What one process of a line does.
struct StageModel {
  double forward = 0, backward = 0, parameters = 0, spikes = 0, gradient = 0;
  double seconds() const { return forward + backward; }
};

/// Of a pass over so many samples.
std::vector<StageModel> stages_of(const StepModel& step, const std::vector<int64_t>& line, double samples) {
  std::vector<StageModel> stages;
  size_t b = 0;
  for (const int64_t size : line) {
    StageModel& stage = stages.emplace_back();
    for (const size_t end = b + static_cast<size_t>(size); b < end; ++b) {
      const BlockModel& block = step.blocks.at(b);
      stage.forward += block.forward.at(samples);
      stage.backward += block.backward.at(samples);
      stage.parameters += block.parameters;
      stage.spikes = block.spikes * samples;
      stage.gradient = block.gradient * samples;
    }
  }
  return stages;
}

/// Blocks balanced by what they take of so many samples.
std::vector<int64_t> balanced_line(const StepModel& step, int64_t processes, double samples) {
  std::vector<double> seconds;
  for (const BlockModel& block : step.blocks)
    seconds.push_back(block.forward.at(samples) + block.backward.at(samples));
  return balanced(seconds, processes);
}

double share_of_batch(const StepModel& step, int64_t shares) {
  return std::ceil(static_cast<double>(step.batch) / static_cast<double>(shares));
}

/// Bytes that a process sends to add up its gradients with those of the other shares.
double summing_bytes(double parameters, int64_t shares) {
  return 2 * parameters * static_cast<double>(shares - 1) / static_cast<double>(shares);
}

/// What of that is not hidden behind the backward pass: the last piece, and what takes longer than the pass.
double summing_seconds(const StageModel& stage, int64_t shares, const Machines& machines) {
  if (shares == 1) return 0;
  const auto time = [&](double parameters) {
    return 2 * static_cast<double>(shares - 1) * machines.latency +
           summing_bytes(parameters, shares) / machines.bandwidth;
  };
  return std::max(time(std::min(stage.parameters, kBucket)), time(stage.parameters) - stage.backward);
}

/// With what all processes do together.
void finish_prediction(StepPrediction& p, double work, const Machines& machines) {
  const auto processes = static_cast<double>(p.line.size()) * static_cast<double>(p.shares);
  const double cores =
      machines.cores > 0 ? std::min(static_cast<double>(machines.cores), processes) : processes;
  p.seconds = std::max(p.seconds, work / cores);
  p.idle = p.seconds > 0 ? std::max(0.0, 1 - work / (cores * p.seconds)) : 0;
}

StepPrediction predict_end_to_end(const StepModel& step, const std::vector<int64_t>& line, int64_t shares,
                                  int64_t pieces, const Machines& machines) {
  StepPrediction p;
  p.line = line;
  p.shares = shares;
  p.pieces = pieces;
  const double samples = std::ceil(share_of_batch(step, shares) / static_cast<double>(pieces));
  const std::vector<StageModel> stages = stages_of(step, line, samples);
  double forward = 0, backward = 0, exposed = 0, work = 0;
  for (size_t s = 0; s < stages.size(); ++s) {
    const StageModel& stage = stages[s];
    // What a stage receives while it works on the piece before.
    const double in = s > 0 ? machines.latency + stages[s - 1].spikes / machines.bandwidth : 0;
    const bool below = s + 1 < stages.size();
    const double back = below ? machines.latency + stage.gradient / machines.bandwidth : 0;
    forward = std::max({forward, stage.forward, in});
    backward = std::max({backward, stage.backward, back});
    exposed = std::max(exposed, summing_seconds(stage, shares, machines));
    work += stage.seconds() * static_cast<double>(pieces * shares);
    const double gradient = s > 0 ? stages[s - 1].gradient : 0;
    p.sent = std::max(p.sent, static_cast<double>(pieces) * ((below ? stage.spikes : 0) + gradient) +
                                  summing_bytes(stage.parameters, shares));
  }
  const auto slots = static_cast<double>(pieces + static_cast<int64_t>(line.size()) - 1);
  p.seconds = slots * (forward + backward) + exposed;
  finish_prediction(p, work, machines);
  return p;
}

/// The quickest of what `predict` says of lines of each of these lengths that divides the processes.
template <class F>
std::optional<StepPrediction> quickest(const StepModel& step, int64_t processes, int64_t shortest,
                                       int64_t longest, F&& predict) {
  std::optional<StepPrediction> best;
  for (int64_t length = shortest; length <= std::min(processes, longest); ++length) {
    const int64_t shares = processes / length;
    if (processes % length != 0 || shares > step.batch) continue;
    StepPrediction p = predict(balanced_line(step, length, share_of_batch(step, shares)), shares);
    if (!best || p.seconds < best->seconds) best = std::move(p);
  }
  return best;
}

}  // namespace

LinearCost LinearCost::through(double n1, double y1, double n2, double y2) {
  const double each = n1 == n2 ? y1 / n1 : std::max(0.0, (y1 - y2) / (n1 - n2));
  const double fixed = std::max(0.0, y1 - each * n1);
  return {fixed, fixed > 0 ? each : y1 / n1};
}

StepPrediction predict_line(const StepModel& step, const std::vector<int64_t>& line, int64_t shares,
                            const Machines& machines) {
  StepPrediction p;
  p.line = line;
  p.shares = shares;
  double work = 0;
  const std::vector<StageModel> stages = stages_of(step, line, share_of_batch(step, shares));
  for (size_t s = 0; s < stages.size(); ++s) {
    const StageModel& stage = stages[s];
    const double spikes = s + 1 < stages.size() ? stage.spikes : 0;
    // Handing on goes on beside the work: a stage waits only if the wire takes longer.
    const double wire =
        spikes > 0 ? static_cast<double>(step.windows) * machines.latency + spikes / machines.bandwidth : 0;
    p.seconds = std::max({p.seconds, stage.seconds() + summing_seconds(stage, shares, machines), wire});
    p.sent = std::max(p.sent, spikes + summing_bytes(stage.parameters, shares));
    work += stage.seconds() * static_cast<double>(shares);
  }
  finish_prediction(p, work, machines);
  return p;
}

std::optional<StepPrediction> predict_data(const StepModel& step, int64_t processes,
                                           const Machines& machines) {
  return quickest(step, processes, 1, 1, [&](const std::vector<int64_t>& line, int64_t shares) {
    return predict_line(step, line, shares, machines);
  });
}

std::optional<StepPrediction> predict_blocks(const StepModel& step, int64_t processes,
                                             const Machines& machines) {
  const auto longest = static_cast<int64_t>(step.blocks.size());
  return quickest(step, processes, 2, longest, [&](const std::vector<int64_t>& line, int64_t shares) {
    return predict_line(step, line, shares, machines);
  });
}

std::optional<StepPrediction> predict_pipeline(const StepModel& step, int64_t processes,
                                               const Machines& machines) {
  const auto longest = static_cast<int64_t>(step.blocks.size());
  return quickest(step, processes, 2, longest, [&](const std::vector<int64_t>& line, int64_t shares) {
    StepPrediction best = predict_end_to_end(step, line, shares, 1, machines);
    for (int64_t pieces = 2; static_cast<double>(pieces) <= share_of_batch(step, shares); pieces *= 2) {
      StepPrediction p = predict_end_to_end(step, line, shares, pieces, machines);
      if (p.seconds < best.seconds) best = std::move(p);
    }
    return best;
  });
}

}  // namespace spiketrain
