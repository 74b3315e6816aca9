#include "spiketrain/train/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iomanip>

namespace spiketrain {
namespace {

constexpr const char *kOptimizerPrefix = "optimizer.", *kLearnerPrefix = "learner.";
constexpr int kVersion = 4, kSealedSince = 4;

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

/// 0: not one of our files.
int version_of(const SafetensorsFile& file) {
  const auto& metadata = file.metadata();
  const auto kind = metadata.find("kind"), version = metadata.find("version");
  const bool ours = kind != metadata.end() && (kind->second == "checkpoint" || kind->second == "weights");
  return ours && version != metadata.end() ? std::atoi(version->second.c_str()) : 0;
}

bool begins_with(const std::string& name, const char* prefix) { return name.rfind(prefix, 0) == 0; }

/// Null if a part of the network was not made by a registry.
Config config_of(const Network& network) {
  try {
    return network.config();
  } catch (const UsageError&) {
    return nullptr;
  }
}

std::map<std::string, std::string> metadata(const char* kind, const Network& network, const RunInfo& info,
                                            const Progress& progress) {
  std::map<std::string, std::string> entries = {{"kind", kind},
                                                {"version", std::to_string(kVersion)},
                                                {"config", info.config.dump()},
                                                {"environment", info.environment.dump()},
                                                {"data", info.data.dump()},
                                                {"progress", to_json(progress).dump()}};
  if (const Config config = config_of(network); !config.is_null()) entries["network"] = config.dump();
  return entries;
}

/// The file's tensors for `targets`, in their order, after all checks.
std::vector<Tensor> checked_values(const SafetensorsFile& file, const NamedTensors& targets,
                                   const char* owner) {
  std::vector<Tensor> values;
  for (const auto& [name, target] : targets) {
    const TensorEntry* entry = file.find(name);
    ST_CHECK(entry, file.path(), ": tensor '", name, "' of the ", owner, " is missing");
    Tensor value = to_tensor(*entry);
    ST_CHECK(value.sizes() == target.sizes() && value.scalar_type() == target.scalar_type(), file.path(),
             ": tensor '", name, "': the ", owner, " has ", target.scalar_type(), " ", target.sizes(),
             ", the file has ", value.scalar_type(), " ", value.sizes());
    if (!first_not_finite({{name, value}}).empty())
      throw DataError(file.path(), 0, str("tensor '", name, "' holds NaN or infinity"));
    values.push_back(std::move(value));
  }
  return values;
}

/// Those of the network; none may be left over.
std::vector<Tensor> checked_weights(const SafetensorsFile& file, const NamedTensors& targets) {
  std::vector<Tensor> values = checked_values(file, targets, "network");
  for (const TensorEntry& entry : file.entries()) {
    const bool known = std::any_of(targets.begin(), targets.end(),
                                   [&](const auto& target) { return target.first == entry.name; });
    ST_CHECK(known || begins_with(entry.name, kOptimizerPrefix) || begins_with(entry.name, kLearnerPrefix),
             file.path(), ": the network has no tensor '", entry.name, "'");
  }
  return values;
}

NamedTensors with_prefix(const char* prefix, const NamedTensors& tensors) {
  NamedTensors list;
  for (const auto& [name, tensor] : tensors) list.emplace_back(prefix + name, tensor);
  return list;
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

void check_same_network(const SafetensorsFile& file, const Network& network) {
  if (file.metadata().count("network") == 0) return;
  const Config config = config_of(network), saved = parse_metadata(file, "network");
  // Older files lack options that are newer than they.
  const auto resolved = [&] { return Network::from_config(saved)->config().dump(); };
  ST_CHECK(config.is_null() || saved.dump() == config.dump() || resolved() == config.dump(), file.path(),
           ": holds another network than ", network.notation(), "; a resumed run keeps its network");
}

}  // namespace

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
  write_safetensors(path, entries, metadata, /*seal=*/true);
}

SafetensorsFile open_checkpoint(const std::string& path) {
  SafetensorsFile file = SafetensorsFile::open(path);
  const int version = version_of(file);
  ST_CHECK(version <= kVersion, path, ": written by a newer Spiketrain (version ", version,
           " of checkpoints; this one reads up to ", kVersion, ")");
  // A damaged name of the seal would otherwise pass for a file that never had one.
  if (version >= kSealedSince && !file.is_sealed())
    throw DataError(path, 8,
                    str("the file is damaged: its metadata hold no \"", SafetensorsFile::kSeal, '"'));
  return file;
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
                     const RunInfo& info, const Progress& progress, const NamedTensors& learner) {
  NamedTensors all = network_tensors(network);
  for (auto& item : with_prefix(kOptimizerPrefix, optimizer.state())) all.push_back(std::move(item));
  for (auto& item : with_prefix(kLearnerPrefix, learner)) all.push_back(std::move(item));
  save_tensors(path, all, metadata("checkpoint", network, info, progress));
}

void save_weights(const std::string& path, const Network& network, const RunInfo& info,
                  const Progress& progress) {
  save_tensors(path, network_tensors(network), metadata("weights", network, info, progress));
}

void load_weights(const SafetensorsFile& file, Network& network) {
  const NamedTensors targets = network_tensors(network);
  copy_weights(targets, checked_weights(file, targets));
}

std::shared_ptr<Network> load_network(const std::string& path) {
  const SafetensorsFile file = open_checkpoint(path);
  const Config config = parse_metadata(file, "network");
  std::shared_ptr<Network> network;
  try {
    network = Network::from_config(config);
  } catch (const UsageError& error) {
    throw DataError(path, 8, str("metadata 'network': ", error.what()));
  }
  load_weights(file, *network);
  return network;
}

Progress load_checkpoint(const SafetensorsFile& file, Network& network, Optimizer& optimizer,
                         const NamedTensors& learner) {
  const auto kind = file.metadata().find("kind");
  ST_CHECK(kind != file.metadata().end() && kind->second == "checkpoint", file.path(),
           ": is no checkpoint (weights alone cannot be resumed)");
  const Progress progress = progress_from_json(parse_metadata(file, "progress"));
  check_same_network(file, network);
  const NamedTensors targets = network_tensors(network);
  const std::vector<Tensor> values = checked_weights(file, targets);
  const NamedTensors of_learner = with_prefix(kLearnerPrefix, learner);
  const std::vector<Tensor> learned = checked_values(file, of_learner, "learner");
  NamedTensors state;
  for (const TensorEntry& entry : file.entries()) {
    if (begins_with(entry.name, kOptimizerPrefix)) {
      state.emplace_back(entry.name.substr(std::strlen(kOptimizerPrefix)), to_tensor(entry));
    }
  }
  optimizer.load(state);
  copy_weights(targets, values);
  copy_weights(of_learner, learned);
  return progress;
}

Config with_present_names(Config recipe) {
  const auto rename = [](Config& rule) {
    const auto is = [&](const char* key, const char* value) {
      return rule.contains(key) && rule[key] == value;
    };
    if (rule.is_object() && is("name", "tssl_bp") && is("variant", "head")) rule["variant"] = "dec2020";
  };
  if (!recipe.is_object()) return recipe;
  if (recipe.contains("rule")) rename(recipe["rule"]);
  if (recipe.contains("rules") && recipe["rules"].is_object())
    for (auto& item : recipe["rules"].items()) rename(item.value());
  return recipe;
}

Config checkpoint_config(const SafetensorsFile& file) {
  const bool none = file.metadata().count("config") == 0;
  const Config config = none ? Config::object() : parse_metadata(file, "config");
  if (config.empty())
    throw DataError(
        file.path(), 8,
        "holds weights without a recipe, as Network.save() in Python writes them; expected a file of a "
        "training run. Such weights are read by Network.load(), or by a recipe with [init] file = \"...\"");
  return with_present_names(config);
}

Config checkpoint_data(const SafetensorsFile& file) { return parse_metadata(file, "data"); }

Config checkpoint_environment(const SafetensorsFile& file) { return parse_metadata(file, "environment"); }

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

}  // namespace spiketrain
