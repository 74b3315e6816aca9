#include "spiketrain/train/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <map>
#include <set>

namespace spiketrain {
namespace {

constexpr const char* kOptimizerPrefix = "optimizer.";
constexpr const char* kVersion = "1";

struct TypeName {
  torch::ScalarType type;
  const char* name;
};
constexpr TypeName kTypes[] = {{torch::kFloat, "F32"},     {torch::kDouble, "F64"}, {torch::kHalf, "F16"},
                               {torch::kBFloat16, "BF16"}, {torch::kInt64, "I64"},  {torch::kInt32, "I32"},
                               {torch::kInt16, "I16"},     {torch::kInt8, "I8"},    {torch::kUInt8, "U8"},
                               {torch::kBool, "BOOL"}};

std::string type_name(torch::ScalarType type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) return known.name;
  }
  throw UsageError(std::string("safetensors: no type for ") + c10::toString(type));
}

bool is_optimizer(const std::string& name) { return name.rfind(kOptimizerPrefix, 0) == 0; }

std::map<std::string, std::string> metadata(const char* kind, const RunInfo& info, const Progress& progress) {
  return {{"kind", kind},
          {"version", kVersion},
          {"config", info.config.dump()},
          {"environment", info.environment.dump()},
          {"data", info.data.dump()},
          {"progress", to_json(progress).dump()}};
}

/// The file's tensors for the network, in the network's order, after all checks.
std::vector<Tensor> checked_weights(const SafetensorsFile& file, const NamedTensors& targets) {
  std::vector<Tensor> values;
  std::vector<std::string> names;
  for (const auto& [name, target] : targets) {
    names.push_back(name);
    const TensorEntry* entry = file.find(name);
    ST_CHECK(entry, file.path(), ": tensor '", name, "' of the network is missing");
    Tensor value = to_tensor(*entry);
    ST_CHECK(value.sizes() == target.sizes() && value.scalar_type() == target.scalar_type(), file.path(),
             ": tensor '", name, "': the network has ", target.scalar_type(), " ", target.sizes(),
             ", the file has ", value.scalar_type(), " ", value.sizes());
    if (!first_not_finite({{name, value}}).empty())
      throw DataError(file.path(), 0, str("tensor '", name, "' holds NaN or infinity"));
    values.push_back(std::move(value));
  }
  for (const TensorEntry& entry : file.entries()) {
    ST_CHECK(is_optimizer(entry.name) || std::find(names.begin(), names.end(), entry.name) != names.end(),
             file.path(), ": the network has no tensor '", entry.name, "'");
  }
  return values;
}

void copy_weights(const NamedTensors& targets, const std::vector<Tensor>& values) {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < targets.size(); ++i) {
    Tensor target = targets[i].second;
    target.copy_(values[i]);
  }
}

Config parse_metadata(const SafetensorsFile& file, const std::string& key) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end()) throw DataError(file.path(), 8, "metadata holds no '" + key + "'");
  Config parsed = Config::parse(it->second, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) throw DataError(file.path(), 8, "metadata '" + key + "' is no JSON object");
  return parsed;
}

/// Names every field of Progress once, for reading and for writing.
template <class P, class F>
void fields(P& p, F&& f) {
  f("epoch", p.epoch), f("batch", p.batch), f("iteration", p.iteration);
  f("optimizer_steps", p.optimizer_steps), f("head_losses", p.sums.head_losses);
  f("loss", p.sums.loss), f("grad_norm", p.sums.grad_norm), f("epoch_seconds", p.sums.seconds);
  f("samples", p.sums.samples), f("correct", p.sums.correct), f("updates", p.sums.updates);
  f("skipped", p.sums.skipped), f("spikes", p.sums.spikes), f("places", p.sums.places);
  f("best_test", p.best_test), f("best_test_epoch", p.best_test_epoch);
  f("best_validation", p.best_validation), f("best_validation_epoch", p.best_validation_epoch);
  f("test_at_best_validation", p.test_at_best_validation), f("last_test", p.last_test);
  f("metrics_bytes", p.metrics_bytes), f("seconds", p.seconds);
}

/// "/section/key" -> value; a list is one value.
std::map<std::string, Config> leaves(const Config& config, const std::string& prefix = "") {
  std::map<std::string, Config> result;
  for (const auto& item : config.items()) {
    const std::string key = prefix + "/" + item.key();
    if (item.value().is_object()) {
      result.merge(leaves(item.value(), key));
    } else {
      result[key] = item.value();
    }
  }
  return result;
}

}  // namespace

Config to_json(const Progress& progress) {
  Config json = Config::object();
  fields(progress, [&](const char* name, const auto& value) { json[name] = value; });
  return json;
}

Progress progress_from_json(const Config& json) {
  Progress progress;
  try {
    fields(progress, [&](const char* name, auto& value) { json.at(name).get_to(value); });
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str("progress of a checkpoint: ", error.what()));
  }
  ST_CHECK(
      progress.epoch >= 0 && progress.batch >= 0 && progress.iteration >= 0 && progress.metrics_bytes >= 0,
      "progress of a checkpoint: negative counter");
  return progress;
}

NamedTensors network_tensors(const Network& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters()) list.emplace_back(item.key(), item.value());
  for (const auto& item : network.named_buffers()) list.emplace_back(item.key(), item.value());
  return list;
}

std::string first_not_finite(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (tensor.is_floating_point() && !torch::isfinite(tensor.detach()).all().item<bool>()) return name;
  }
  return "";
}

void save_tensors(const std::string& path, const NamedTensors& tensors,
                  const std::map<std::string, std::string>& metadata) {
  std::vector<TensorEntry> entries;
  std::vector<Tensor> alive;
  for (const auto& [name, tensor] : tensors) {
    alive.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const Tensor& value = alive.back();
    entries.push_back({name, type_name(value.scalar_type()), value.sizes().vec(),
                       static_cast<const uint8_t*>(value.data_ptr()), value.nbytes()});
  }
  write_safetensors(path, entries, metadata);
}

Tensor to_tensor(const TensorEntry& entry) {
  for (const TypeName& known : kTypes) {
    if (entry.dtype != known.name) continue;
    Tensor tensor = torch::empty(entry.shape, known.type);
    if (entry.bytes > 0) std::memcpy(tensor.data_ptr(), entry.data, entry.bytes);
    return tensor;
  }
  throw UsageError(str("tensor '", entry.name, "': type ", entry.dtype, " cannot be loaded"));
}

void save_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                     const RunInfo& info, const Progress& progress) {
  NamedTensors all = network_tensors(network);
  for (auto& [name, tensor] : optimizer.state()) all.emplace_back(kOptimizerPrefix + name, tensor);
  save_tensors(path, all, metadata("checkpoint", info, progress));
}

void save_weights(const std::string& path, const Network& network, const RunInfo& info,
                  const Progress& progress) {
  save_tensors(path, network_tensors(network), metadata("weights", info, progress));
}

void load_weights(const SafetensorsFile& file, Network& network) {
  const NamedTensors targets = network_tensors(network);
  copy_weights(targets, checked_weights(file, targets));
}

Progress load_checkpoint(const SafetensorsFile& file, Network& network, Optimizer& optimizer) {
  const auto kind = file.metadata().find("kind");
  ST_CHECK(kind != file.metadata().end() && kind->second == "checkpoint", file.path(),
           ": is no checkpoint (weights alone cannot be resumed)");
  const Progress progress = progress_from_json(parse_metadata(file, "progress"));
  const NamedTensors targets = network_tensors(network);
  const std::vector<Tensor> values = checked_weights(file, targets);
  NamedTensors state;
  for (const TensorEntry& entry : file.entries()) {
    if (is_optimizer(entry.name)) {
      state.emplace_back(entry.name.substr(std::strlen(kOptimizerPrefix)), to_tensor(entry));
    }
  }
  optimizer.load(state);
  copy_weights(targets, values);
  return progress;
}

Config checkpoint_config(const SafetensorsFile& file) { return parse_metadata(file, "config"); }

Config checkpoint_data(const SafetensorsFile& file) { return parse_metadata(file, "data"); }

std::string checkpoint_path(const std::string& dir, int64_t iteration) {
  std::ostringstream name;
  name << dir << '/' << std::setw(10) << std::setfill('0') << iteration << ".safetensors";
  return name.str();
}

std::vector<std::string> list_checkpoints(const std::string& dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    const std::string stem = entry.path().stem().string();
    const bool digits = !stem.empty() && std::all_of(stem.begin(), stem.end(),
                                                     [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits && entry.path().extension() == ".safetensors") paths.push_back(entry.path().string());
  }
  std::sort(paths.rbegin(), paths.rend());
  return paths;
}

void prune_checkpoints(const std::string& dir, int64_t keep) {
  const std::vector<std::string> paths = list_checkpoints(dir);
  for (size_t i = static_cast<size_t>(std::max<int64_t>(keep, 1)); i < paths.size(); ++i) {
    std::error_code ignored;  // a file that cannot be removed does no harm
    std::filesystem::remove(paths[i], ignored);
  }
}

void check_resumable(const Config& before, const Config& now) {
  const std::map<std::string, Config> a = leaves(before), b = leaves(now);
  std::set<std::string> keys;
  for (const auto& item : a) keys.insert(item.first);
  for (const auto& item : b) keys.insert(item.first);
  for (const std::string& key : keys) {
    const bool harmless =
        key == "/title" || key.rfind("/paper", 0) == 0 || key.rfind("/cost/", 0) == 0 ||
        key.rfind("/train/checkpoint", 0) == 0 || key == "/train/keep" || key == "/train/on_nan" ||
        key == "/train/dead_below" || key == "/train/saturated_above" || key == "/train/gradient_cosine" ||
        key == "/blocks/order" || (key == "/epochs" && now.value("/lr/name"_json_pointer, "") != "cosine");
    const auto was = a.find(key), is = b.find(key);
    if (harmless || (was != a.end() && is != b.end() && was->second == is->second)) continue;
    std::string name = key.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    throw UsageError(str("resume: ", name, " was ", was != a.end() ? was->second.dump() : "absent",
                         " and is now ", is != b.end() ? is->second.dump() : "absent",
                         "; a resumed run keeps its recipe"));
  }
}

}  // namespace spiketrain
