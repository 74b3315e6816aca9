#include "spiketrain/train/optimizer.h"

#include <torch/optim.h>

#include <cmath>
#include <map>
#include <type_traits>

#include "spiketrain/core/ops.h"

namespace spiketrain {
namespace {

using torch::optim::AdamParamState;
using torch::optim::AdamWParamState;
using torch::optim::SGDParamState;

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

std::unique_ptr<torch::optim::Optimizer> make_torch(const OptimizerOptions& o,
                                                    const std::vector<Tensor>& parameters) {
  namespace optim = torch::optim;
  const auto betas = std::make_tuple(o.beta1, o.beta2);
  if (o.name == "sgd") {
    return std::make_unique<optim::SGD>(
        parameters,
        optim::SGDOptions(o.lr).momentum(o.momentum).weight_decay(o.weight_decay).nesterov(o.nesterov));
  }
  if (o.name == "adam") {
    return std::make_unique<optim::Adam>(
        parameters, optim::AdamOptions(o.lr).betas(betas).eps(o.eps).weight_decay(o.weight_decay));
  }
  return std::make_unique<optim::AdamW>(
      parameters, optim::AdamWOptions(o.lr).betas(betas).eps(o.eps).weight_decay(o.weight_decay));
}

template <class State>
void export_adam(const State& state, const std::string& name, NamedTensors& list) {
  list.emplace_back(name + ".step", torch::tensor(state.step(), torch::kInt64));
  list.emplace_back(name + ".exp_avg", state.exp_avg());
  list.emplace_back(name + ".exp_avg_sq", state.exp_avg_sq());
}

using Fields = std::map<std::string, Tensor>;

/// A copy of `value` where `parameter` lives.
Tensor copy_to(const Tensor& parameter, const Tensor& value) {
  return value.to(parameter.device(), /*non_blocking=*/false, /*copy=*/true);
}

template <class State>
std::unique_ptr<State> import_adam(const Fields& fields, const Tensor& parameter) {
  auto state = std::make_unique<State>();
  state->step(fields.at("step").template item<int64_t>());
  state->exp_avg(copy_to(parameter, fields.at("exp_avg")));
  state->exp_avg_sq(copy_to(parameter, fields.at("exp_avg_sq")));
  return state;
}

/// Checks one parameter's loaded fields against what the method keeps.
void check_fields(const std::string& name, const Tensor& parameter, const Fields& fields,
                  const std::vector<std::string>& expected) {
  for (const auto& [field, value] : fields) {
    ST_CHECK(std::find(expected.begin(), expected.end(), field) != expected.end(), "optimiser state: ", name,
             " has no '", field, "' with this optimiser");
  }
  for (const std::string& field : expected) {
    const auto it = fields.find(field);
    ST_CHECK(it != fields.end(), "optimiser state: ", name, ".", field, " is missing");
    const Tensor& value = it->second;
    if (field == "step") {
      ST_CHECK(value.scalar_type() == torch::kInt64 && value.numel() == 1, "optimiser state: ", name,
               ".step: expected one int64");
    } else {
      ST_CHECK(value.sizes() == parameter.sizes() && value.scalar_type() == parameter.scalar_type(),
               "optimiser state: ", name, ".", field, ": expected ", parameter.scalar_type(), " ",
               parameter.sizes(), ", got ", value.scalar_type(), " ", value.sizes());
    }
  }
}

}  // namespace

void OptimizerOptions::check() const {
  ST_CHECK(!nesterov || momentum > 0, "optimizer.nesterov: needs momentum > 0");
  ST_CHECK(name == "sgd" || (momentum == 0 && !nesterov),
           "optimizer.momentum, optimizer.nesterov: only sgd has them, not ", name);
  const OptimizerOptions defaults;
  ST_CHECK(name != "sgd" || (beta1 == defaults.beta1 && beta2 == defaults.beta2 && eps == defaults.eps),
           "optimizer.beta1, optimizer.beta2, optimizer.eps: sgd has none of them");
}

void LrOptions::check() const {
  const LrOptions defaults;
  ST_CHECK(name == "step" || (step_epochs == defaults.step_epochs && gamma == defaults.gamma),
           "lr.step_epochs, lr.gamma: only the course step has them, not ", name);
  ST_CHECK(name == "cosine" || min == defaults.min, "lr.min: only the course cosine has it, not ", name);
}

double learning_rate(const LrOptions& options, double base, int64_t iteration, int64_t per_epoch,
                     int64_t epochs) {
  const double warmup = options.warmup_epochs * static_cast<double>(per_epoch);
  const auto i = static_cast<double>(iteration);
  if (i + 1 < warmup) return base * (i + 1) / warmup;
  if (options.name == "step") {
    const int64_t epoch = per_epoch > 0 ? iteration / per_epoch : 0;
    return base * std::pow(options.gamma, static_cast<double>(epoch / options.step_epochs));
  }
  if (options.name == "cosine") {
    const double length = static_cast<double>(epochs) * static_cast<double>(per_epoch) - warmup;
    const double done = length > 0 ? std::min(1.0, std::max(0.0, i - warmup) / length) : 1.0;
    return options.min + (base - options.min) * 0.5 * (1.0 + std::cos(M_PI * done));
  }
  return base;
}

Optimizer::Optimizer(const OptimizerOptions& options, NamedTensors parameters)
    : parameters_(std::move(parameters)), name_(options.name), momentum_(options.momentum) {
  options.check();
  std::vector<Tensor> list;
  for (const auto& [name, parameter] : parameters_) list.push_back(parameter);
  ST_CHECK(!list.empty(), "optimizer: the network has no parameters to train");
  torch_ = make_torch(options, list);
}

Optimizer::~Optimizer() = default;

void Optimizer::step(double lr) {
  for (auto& group : torch_->param_groups()) {
    if (name_ == "sgd") static_cast<torch::optim::SGDOptions&>(group.options()).lr(lr);
    if (name_ == "adam") static_cast<torch::optim::AdamOptions&>(group.options()).lr(lr);
    if (name_ == "adamw") static_cast<torch::optim::AdamWOptions&>(group.options()).lr(lr);
  }
  torch_->step();
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

NamedTensors Optimizer::state() const {
  NamedTensors list;
  const auto& all = torch_->state();
  using Map = std::decay_t<decltype(all)>;
  for (const auto& [name, parameter] : parameters_) {
    const auto it = all.find(state_key<Map>(parameter));
    if (it == all.end()) continue;  // it has not been updated yet
    if (name_ == "adam") export_adam(static_cast<const AdamParamState&>(*it->second), name, list);
    if (name_ == "adamw") export_adam(static_cast<const AdamWParamState&>(*it->second), name, list);
    if (name_ == "sgd") {
      const Tensor& momentum = static_cast<const SGDParamState&>(*it->second).momentum_buffer();
      if (momentum.defined()) list.emplace_back(name + ".momentum_buffer", momentum);
    }
  }
  return list;
}

void Optimizer::load(const NamedTensors& state) {
  std::map<std::string, Fields> loaded;
  for (const auto& [name, value] : state) {
    const size_t dot = name.rfind('.');
    ST_CHECK(dot != std::string::npos, "optimiser state: unexpected tensor '", name, "'");
    loaded[name.substr(0, dot)][name.substr(dot + 1)] = value;
  }
  auto& all = torch_->state();
  using Map = std::decay_t<decltype(all)>;
  const std::vector<std::string> adam_fields = {"step", "exp_avg", "exp_avg_sq"};
  std::vector<std::string> sgd_fields;
  if (momentum_ > 0) sgd_fields.push_back("momentum_buffer");
  Map fresh;
  for (const auto& [name, parameter] : parameters_) {
    const auto it = loaded.find(name);
    if (it == loaded.end()) continue;
    check_fields(name, parameter, it->second, name_ == "sgd" ? sgd_fields : adam_fields);
    auto& slot = fresh[state_key<Map>(parameter)];
    if (name_ == "adam") slot = import_adam<AdamParamState>(it->second, parameter);
    if (name_ == "adamw") slot = import_adam<AdamWParamState>(it->second, parameter);
    if (name_ == "sgd") {
      auto sgd = std::make_unique<SGDParamState>();
      sgd->momentum_buffer(copy_to(parameter, it->second.at("momentum_buffer")));
      slot = std::move(sgd);
    }
    loaded.erase(it);
  }
  ST_CHECK(loaded.empty(), "optimiser state: no parameter is called '", loaded.begin()->first, "'");
  all = std::move(fresh);
}

Tensor grad_norm(const NamedTensors& parameters) {
  double sum = 0;
  std::vector<Tensor> on_device;
  for (const auto& [name, parameter] : parameters) {
    const Tensor& grad = parameter.grad();
    if (!grad.defined()) continue;
    if (!grad.device().is_cpu()) {
      on_device.push_back(grad.to(torch::kDouble).square().sum());
      continue;
    }
    sum += ops::sum_squares(grad);
  }
  if (!on_device.empty()) return (torch::stack(on_device).sum() + sum).sqrt();
  return torch::tensor(std::sqrt(sum), torch::kDouble);
}

void clip_grads(const NamedTensors& parameters, double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  if (!(factor < 1)) return;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) parameter.grad().mul_(factor);
  }
}

void clamp_weights(const std::vector<Tensor>& weights, double limit) {
  torch::NoGradGuard no_grad;
  for (Tensor weight : weights) weight.clamp_(-limit, limit);
}

}  // namespace spiketrain
