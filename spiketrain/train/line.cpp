#include "spiketrain/train/line.h"

#include <algorithm>
#include <map>

#include "spiketrain/core/layer.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/metrics.h"

namespace spiketrain {
namespace {

/// Rank of the process that has a tensor of the network, or of the optimizer, by its name.
class Owners {
 public:
  Owners(const BlockPipe& pipe, const Network& network) {
    for (size_t n = 0; n < network.nodes().size(); ++n)
      of_node_[network.nodes()[n].name] = pipe.owner(network.block_of(static_cast<int64_t>(n)));
  }
  int64_t of(const std::string& tensor) const { return of_node_.at(tensor.substr(0, tensor.find('.'))); }

 private:
  std::map<std::string, int64_t> of_node_;
};

/// x of the process that has it, to process 0, into x there.
void bring(Group& line, int64_t owner, const Tensor& x) {
  if (owner == 0 || x.numel() == 0) return;
  if (line.rank() != 0 && line.rank() != owner) return;
  Tensor here = x.detach().cpu().contiguous();
  const Tensor bytes = torch::from_blob(here.data_ptr(), {static_cast<int64_t>(here.nbytes())}, torch::kByte);
  if (line.rank() == owner) {
    line.begin_send(bytes, 0)->wait();
  } else {
    line.receive(bytes, owner);
    Tensor(x).copy_(here);
  }
}

/// Name, type and sizes.
Config described(const NamedTensors& tensors) {
  Config list = Config::array();
  for (const auto& [name, x] : tensors)
    list.push_back({name, static_cast<int>(x.scalar_type()), x.sizes().vec()});
  return list;
}

Tensor zeros_like_described(const Config& entry) {
  return torch::zeros(entry.at(2).get<std::vector<int64_t>>(),
                      static_cast<torch::ScalarType>(entry.at(1).get<int>()));
}

void collect_optimizer(Group& line, const Owners& owners, Optimizer& optimizer) {
  NamedTensors own;
  for (auto& item : optimizer.state())
    if (owners.of(item.first) == line.rank()) own.push_back(item);
  const std::vector<std::string> lists = line.gather(described(own).dump());
  if (line.rank() > 0) {
    for (const auto& item : own) bring(line, line.rank(), item.second);
    return;
  }
  for (int64_t rank = 1; rank < line.size(); ++rank) {
    for (const Config& entry : Config::parse(lists[static_cast<size_t>(rank)])) {
      own.emplace_back(entry.at(0), zeros_like_described(entry));
      bring(line, rank, own.back().second);
    }
  }
  optimizer.load(own);
}

}  // namespace

void add_activity(GroupSums& sums, const Network& network, std::vector<Tally::Count>& counts) {
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (layer) counts.resize(std::max(counts.size(), static_cast<size_t>(layer->slot()) + 1));
  }
  for (Tally::Count& count : counts) sums.add(count.spikes), sums.add(count.sites);
}

void collect_state(BlockPipe& pipe, Network& network, Optimizer& optimizer) {
  const torch::NoGradGuard no_grad;
  const Owners owners(pipe, network);
  for (const auto& [name, tensor] : network_tensors(network)) bring(pipe.line(), owners.of(name), tensor);
  collect_optimizer(pipe.line(), owners, optimizer);
}

void share_scores(Group& line, Scores& scores) {
  Config json = {{"loss", scores.loss}, {"metrics", scores.metrics}};  // NaN becomes null
  json = Config::parse(broadcast(line, json.dump()));
  const auto number = [](const Config& x) { return x.is_null() ? Best::kNone : x.get<double>(); };
  if (line.rank() == 0) return;
  scores.loss = number(json.at("loss"));
  for (const auto& item : json.at("metrics").items()) scores.metrics[item.key()] = number(item.value());
}

}  // namespace spiketrain
