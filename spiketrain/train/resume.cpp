#include "spiketrain/train/resume.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "spiketrain/base/file.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

/// "section.option" -> value; a list is one value.
std::map<std::string, Config> leaves(const Config& config, const std::string& prefix = "") {
  std::map<std::string, Config> result;
  for (const auto& item : config.items()) {
    const std::string key = prefix + item.key();
    if (item.value().is_object()) {
      result.merge(leaves(item.value(), key + "."));
    } else {
      result[key] = item.value();
    }
  }
  return result;
}

/// What documents an option, or the table it is in; null if nothing does.
const OptionDoc* find(const OptionDocs& docs, const std::string& key) {
  for (const auto& [section, options] : docs) {
    for (const OptionDoc& option : options) {
      const bool dot = !section.empty() && !option.name.empty();
      const std::string name = section + (dot ? "." : "") + option.name;
      if (key == name || key.rfind(name + ".", 0) == 0) return &option;
    }
  }
  return nullptr;
}

/// FNV-1a over 64-bit words.
struct Digest {
  uint64_t value = 0xcbf29ce484222325;
  void add(uint64_t word) { value = (value ^ word) * 0x100000001b3; }
};

std::string describe_targets(const Dataset& data) {
  const bool classes = data.target().kind == Target::Kind::class_index;
  Digest digest;
  std::vector<uint32_t> values(classes ? 0
                                       : static_cast<size_t>(data.target().numel()));  // the bits of floats
  for (int64_t i = 0; i < data.size(); ++i) {
    if (classes) {
      digest.add(static_cast<uint64_t>(data.class_of(i)));
      continue;
    }
    std::fill(values.begin(), values.end(), 0);
    data.read_target(i, values.data());
    for (const uint32_t value : values) digest.add(value);
  }
  std::ostringstream text;
  text << data.size() << " samples, " << (classes ? "labels " : "targets ") << std::hex << digest.value;
  return text.str();
}

}  // namespace

void check_resumable(const Config& before, const Config& now, const OptionDocs& docs) {
  const std::map<std::string, Config> a = leaves(before), b = leaves(now);
  std::set<std::string> keys;
  for (const auto* side : {&a, &b}) {
    for (const auto& item : *side) keys.insert(item.first);
  }
  for (const std::string& key : keys) {
    const OptionDoc* doc = find(docs, key);
    if (doc && doc->resume == OnResume::may_change) continue;
    const auto value = [&](const std::map<std::string, Config>& side) {
      const auto it = side.find(key);
      if (it != side.end()) return it->second;
      return doc ? doc->default_value : Config();
    };
    const Config was = value(a), is = value(b);
    if (was == is) continue;
    const auto text = [](const Config& v) { return v.is_null() ? "absent" : v.dump(); };
    throw UsageError(str("resume: ", key, " was ", text(was), " and is now ", text(is),
                         "; a resumed run keeps its recipe"));
  }
}

Config fingerprint(const Datasets& data) {
  Config result = Config::object();
  result["train"] = describe_targets(*data.train);
  if (data.validation) result["validation"] = describe_targets(*data.validation);
  result["test"] = describe_targets(*data.test);
  return result;
}

void check_same_data(const Config& before, const Config& now) {
  for (const auto& item : now.items()) {
    const std::string was = before.value(item.key(), "absent"), is = item.value();
    ST_CHECK(was == is, "resume: the ", item.key(), " split was ", was, " and is now ", is,
             "; a resumed run keeps its data");
  }
}

void check_resumable_dir(const RunDir& dir, const Training& training) {
  const std::string path = dir.file("config.json");
  if (file_exists(path)) {
    const Bytes bytes = read_file(path);
    const Config before = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
    if (!before.is_object()) throw DataError(path, 0, "is no JSON object");
    check_resumable(with_present_names(before), training.config, training.docs);
  }
  const int64_t epochs = dir.metrics_lines();
  ST_CHECK(!run_is_done(dir.path()) && epochs <= training.options.checkpoint_every, "resume: ", dir.path(),
           " holds the metrics of ", epochs,
           " epochs but no checkpoint to continue from; to start over, give another --out");
}

}  // namespace spiketrain
