#include "spiketrain/engine/block_costs.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "spiketrain/core/norm.h"
#include "spiketrain/engine/run.h"

namespace spiketrain {

std::vector<BlockCost> measure_blocks(const Learner& learner, const Batch& batch, int passes) {
  const Learner one = learner.alone();
  Network& network = one.network();
  const Plan plan = one.plan(0, batch.lengths);
  check_line(one.parts(), plan);
  NormStatistics statistics(network, /*active=*/true);
  statistics.remember();
  std::vector<BlockCost> least;
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<BlockCost> costs(static_cast<size_t>(network.blocks()));
    Run run(one.parts(), batch, Mode::train, /*iteration=*/0, nullptr);
    run.measure(costs);
    run.train(plan, {});
    network.zero_grad(/*set_to_none=*/true);
    if (least.empty()) least = costs;
    for (size_t b = 0; b < costs.size(); ++b) {
      least[b].forward = std::min(least[b].forward, costs[b].forward);
      least[b].backward = std::min(least[b].backward, costs[b].backward);
    }
  }
  statistics.restore();
  return least;
}

std::vector<int64_t> balanced(const std::vector<double>& seconds, int64_t processes) {
  const auto n = seconds.size(), parts = static_cast<size_t>(processes);
  ST_CHECK(parts >= 1 && parts <= n, "parallel.line: expected at most one process for each of the ", n,
           n == 1 ? " block" : " blocks", " of the network, got ", processes,
           "; see [blocks], or let processes share batches");
  std::vector<double> before(n + 1);  // of the first k blocks
  std::partial_sum(seconds.begin(), seconds.end(), before.begin() + 1);
  // [parts][k] least possible longest part of the first k blocks, and where the last part begins.
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> longest(parts + 1, std::vector<double>(n + 1, kNever));
  std::vector<std::vector<size_t>> begin(parts + 1, std::vector<size_t>(n + 1));
  longest[0][0] = 0;
  for (size_t p = 1; p <= parts; ++p) {
    for (size_t k = p; k <= n; ++k) {
      for (size_t first = p - 1; first < k; ++first) {
        const double here = std::max(longest[p - 1][first], before[k] - before[first]);
        if (here < longest[p][k]) longest[p][k] = here, begin[p][k] = first;
      }
    }
  }
  std::vector<int64_t> sizes(parts);
  for (size_t p = parts, k = n; p > 0; k = begin[p][k], --p)
    sizes[p - 1] = static_cast<int64_t>(k - begin[p][k]);
  return sizes;
}

}  // namespace spiketrain
