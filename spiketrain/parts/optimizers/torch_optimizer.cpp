#include "spiketrain/parts/optimizers/torch_optimizer.h"

#include <algorithm>
#include <type_traits>

namespace spiketrain {
namespace {

/// The key LibTorch files a parameter's state under: text of the address before 2.0, the address since.
template <class Map>
typename Map::key_type state_key(const Tensor& parameter) {
  void* address = parameter.unsafeGetTensorImpl();
  if constexpr (std::is_same_v<typename Map::key_type, std::string>) {
    return str(address);
  } else {
    return address;
  }
}

/// Checks one parameter's loaded fields against what the method keeps.
void check_fields(const std::string& name, const Tensor& parameter,
                  const std::map<std::string, Tensor>& fields, const std::vector<std::string>& expected) {
  for (const auto& [field, value] : fields) {
    ST_CHECK(std::find(expected.begin(), expected.end(), field) != expected.end(), "optimizer state: ", name,
             " has no '", field, "' with this optimizer");
  }
  for (const std::string& field : expected) {
    const auto it = fields.find(field);
    ST_CHECK(it != fields.end(), "optimizer state: ", name, ".", field, " is missing");
    const Tensor& value = it->second;
    if (field == "step") {
      ST_CHECK(value.scalar_type() == torch::kInt64 && value.numel() == 1, "optimizer state: ", name,
               ".step: expected one int64");
    } else {
      ST_CHECK(value.sizes() == parameter.sizes() && value.scalar_type() == parameter.scalar_type(),
               "optimizer state: ", name, ".", field, ": expected ", parameter.scalar_type(), " ",
               parameter.sizes(), ", got ", value.scalar_type(), " ", value.sizes());
    }
  }
}

}  // namespace

void TorchOptimizer::attach(NamedTensors parameters) {
  ST_CHECK(!parameters.empty(), "optimizer: the network has no parameters to train");
  parameters_ = std::move(parameters);
  std::vector<Tensor> list;
  for (const auto& [name, parameter] : parameters_) list.push_back(parameter);
  torch_ = make(list);
}

void TorchOptimizer::step(double lr) {
  ST_CHECK(torch_, "optimizer: attach() comes before step()");
  for (auto& group : torch_->param_groups()) group.options().set_lr(lr);
  torch_->step();
}

NamedTensors TorchOptimizer::state() const {
  NamedTensors list;
  if (!torch_) return list;
  const auto& all = torch_->state();
  using Map = std::decay_t<decltype(all)>;
  const std::vector<std::string> names = fields();
  for (const auto& [name, parameter] : parameters_) {
    const auto it = all.find(state_key<Map>(parameter));
    if (it == all.end()) continue;  // it has not been updated yet
    const std::vector<Tensor> values = save(*it->second);
    for (size_t k = 0; k < values.size(); ++k) {
      if (values[k].defined()) list.emplace_back(name + "." + names[k], values[k]);
    }
  }
  return list;
}

void TorchOptimizer::load(const NamedTensors& state) {
  ST_CHECK(torch_, "optimizer: attach() comes before load()");
  std::map<std::string, Fields> loaded;
  for (const auto& [name, value] : state) {
    const size_t dot = name.rfind('.');
    ST_CHECK(dot != std::string::npos, "optimizer state: unexpected tensor '", name, "'");
    loaded[name.substr(0, dot)][name.substr(dot + 1)] = value;
  }
  auto& all = torch_->state();
  using Map = std::decay_t<decltype(all)>;
  Map fresh;
  for (const auto& [name, parameter] : parameters_) {
    const auto it = loaded.find(name);
    if (it == loaded.end()) continue;
    check_fields(name, parameter, it->second, fields());
    for (auto& [field, value] : it->second) {
      const torch::Device device = field == "step" ? torch::Device(torch::kCPU) : parameter.device();
      value = value.to(device, /*non_blocking=*/false, /*copy=*/true);
    }
    fresh[state_key<Map>(parameter)] = restore(it->second);
    loaded.erase(it);
  }
  ST_CHECK(loaded.empty(), "optimizer state: no parameter is called '", loaded.begin()->first, "'");
  all = std::move(fresh);
}

}  // namespace spiketrain
