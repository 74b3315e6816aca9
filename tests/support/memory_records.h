// Records of schedules that choose steps: a file of golden/rules of rule Skipper or ST-BPTT as a network of ours.
#pragma once
#include <optional>

#include "spiketrain/train/checkpoint.h"
#include "tests/support/engine.h"

namespace spiketrain {

class MemoryRecord {
 public:
  std::string rule;
  int64_t T = 0, segment = 0;  ///< length of a segment
  double p = 0;                ///< percentile (Skipper), or number of steps that are kept (ST-BPTT)

  /// Empty if the record is of another rule.
  static std::optional<MemoryRecord> open(const std::string& path) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    const auto rule = file.metadata().find("rule");
    if (rule == file.metadata().end() || (rule->second != "Skipper" && rule->second != "ST-BPTT")) return {};
    return MemoryRecord(file);
  }

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  Tensor at(const std::string& name) const { return to_tensor(file_.at(name)); }
  double number(const char* key) const { return std::stod(file_.metadata().at(key)); }
  int64_t layers() const { return static_cast<int64_t>(dims_.size()) - 2; }

  std::shared_ptr<Network> network() const {
    auto net = std::make_shared<Network>(Shape{dims_[0]});
    for (size_t l = 1; l < dims_.size(); ++l) {
      Connection c;
      c.synapse = make<Synapse>("linear", {{"features", dims_[l]}, {"bias", true}});
      const bool readout = l + 1 == dims_.size();
      const auto neuron = readout ? make<Neuron>("leaky_readout", {{"leak", 0}})
                                  : make<Neuron>("lif", {{"leak", number("lam")},
                                                         {"threshold", number("th")},
                                                         {"detach_reset", number("chi") == 0},
                                                         {"surrogate", "triangle"},
                                                         {"surrogate_scale", 1}});
      net->add(std::make_shared<Layer>(std::vector<Connection>{c}, neuron), true);
    }
    net->to(torch::kDouble);
    const torch::NoGradGuard no_grad;
    for (auto& [name, parameter] : parameters(*net)) Tensor(parameter).copy_(at(name));
    return net;
  }
  /// By their names in the file.
  static NamedTensors parameters(const Network& net) {
    NamedTensors list;
    for (const auto& item : net.named_parameters()) {
      const bool bias = item.key().find("bias") != std::string::npos;
      const int64_t layer = std::stoll(item.key()) + 1;
      list.emplace_back(str(bias ? "b" : "W", layer), item.value());
    }
    return list;
  }
  LearnerParts parts(const std::shared_ptr<Network>& net, std::shared_ptr<const Schedule> schedule) const {
    LearnerParts parts = learner_parts(net, T);
    parts.schedule = std::move(schedule);
    return parts;
  }
  Batch batch() const {
    Batch batch;
    batch.form = Batch::Form::frames;
    batch.x = at("x");
    batch.target = {Target::Kind::class_index, at("labels")};
    return batch;
  }

 private:
  explicit MemoryRecord(SafetensorsFile file) : rule(file.metadata().at("rule")), file_(std::move(file)) {
    const Config net = Config::parse(file_.metadata().at("net"));
    T = net.at("T");
    p = net.at("p");
    dims_ = net.at("dims").get<std::vector<int64_t>>();
    const auto bounds = net.at("bounds").get<std::vector<int64_t>>();
    segment = bounds[1];
    for (size_t i = 1; i < bounds.size(); ++i)
      ST_CHECK(bounds[i] - bounds[i - 1] == segment, file_.path(), ": segments of other lengths");
  }

  SafetensorsFile file_;
  std::vector<int64_t> dims_;
};

}  // namespace spiketrain
