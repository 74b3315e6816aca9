#include "spiketrain/train/share_state.h"

#include <sstream>

#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/resume.h"

namespace spiketrain {
namespace {

/// Of the bytes of all weights and buffers, FNV-1a.
std::string digest_of(const Network& network) {
  uint64_t value = 0xcbf29ce484222325;
  for (const auto& item : network_tensors(network)) {
    const Tensor bytes = item.second.detach().cpu().contiguous();
    const auto* data = static_cast<const uint8_t*>(bytes.data_ptr());
    for (size_t i = 0; i < bytes.nbytes(); ++i) value = (value ^ data[i]) * 0x100000001b3;
  }
  std::ostringstream text;
  text << std::hex << value;
  return text.str();
}

/// The first place, "a.b", in which two objects differ; empty if there is none.
std::string difference(const Config& a, const Config& b, const std::string& prefix = "") {
  Config keys = a;
  keys.update(b);
  for (const auto& item : keys.items()) {
    const Config x = a.value(item.key(), Config()), y = b.value(item.key(), Config());
    if (x == y) continue;
    const std::string name = prefix + item.key();
    if (x.is_object() && y.is_object()) return difference(x, y, name + ".");
    return str(name, " is ", x.dump(), " in rank 0 and ", y.dump());
  }
  return "";
}

/// x of process 0.
Tensor shared(Group& group, const Tensor& x) {
  const Tensor here = x.detach().cpu().contiguous();
  group.broadcast(here);
  return here;
}

}  // namespace

void check_same_run(Group& group, const Training& training, const std::string& version, const Config& data) {
  const Config own = {{"version", version},
                      {"recipe", training.config},
                      {"data", data},
                      {"weights", digest_of(training.network())}};
  const std::vector<std::string> all = group.gather(own.dump());
  const Config first = Config::parse(all.at(0));
  for (size_t rank = 1; rank < all.size(); ++rank) {
    const std::string what = difference(first, Config::parse(all[rank]));
    ST_CHECK(what.empty(), "the processes are to train one network: ", what, " in rank ", rank,
             "; start all of them with the same program, recipe, options and data");
  }
}

void share_state(Group& group, Training& training, Progress& progress) {
  const torch::NoGradGuard no_grad;
  NamedTensors state = training.optimizer->state();
  Config head = {{"progress", to_json(progress)}, {"optimizer", Config::array()}};
  for (const auto& [name, tensor] : state)
    head["optimizer"].push_back({name, static_cast<int>(tensor.scalar_type()), tensor.sizes().vec()});
  const Config first = Config::parse(broadcast(group, head.dump()));
  NamedTensors tensors = network_tensors(training.network());
  for (auto& item : training.learner->state()) tensors.push_back(item);
  for (auto& item : tensors) item.second.copy_(shared(group, item.second));
  if (group.rank() > 0) state.clear();
  for (const Config& item : first.at("optimizer")) {
    if (group.rank() == 0) break;
    const auto type = static_cast<torch::ScalarType>(item.at(1).get<int>());
    state.emplace_back(item.at(0), torch::zeros(item.at(2).get<std::vector<int64_t>>(), type));
  }
  for (auto& item : state) item.second = shared(group, item.second);
  if (group.rank() == 0) return;
  training.optimizer->load(state);
  progress = progress_from_json(first.at("progress"));
}

}  // namespace spiketrain
