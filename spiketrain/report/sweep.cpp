#include "spiketrain/report/sweep.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "spiketrain/base/file.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/data/source.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/metrics.h"
#include "spiketrain/train/run_dir.h"

namespace spiketrain {
namespace {

constexpr size_t kMaxRuns = 10000;
constexpr size_t kMaxPart = 40, kMaxName = 180;  ///< file systems allow 255 bytes

std::string trimmed(const std::string& text) {
  const char* space = " \t\r\n";
  const size_t begin = text.find_first_not_of(space);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

/// Splits at the commas outside brackets, braces and quotes.
std::vector<std::string> split_values(const std::string& list, const std::string& origin) {
  std::vector<std::string> parts(1);
  std::string open;  // closing characters that are still to come
  char quote = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (c == ',' && open.empty() && !quote) {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
    if (quote) {
      if (c == '\\' && quote == '"' && i + 1 < list.size()) parts.back() += list[++i];
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      open += c == '[' ? ']' : '}';
    } else if (c == ']' || c == '}') {
      ST_CHECK(!open.empty() && open.back() == c, origin, ": '", c, "' closes nothing");
      open.pop_back();
    }
  }
  ST_CHECK(open.empty() && !quote, origin, ": a bracket or a quote stays open");
  for (std::string& part : parts) part = trimmed(part);
  return parts;
}

std::string short_hash(const std::string& text) {
  return sha256_hex(ByteSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size())).substr(0, 8);
}

/// "/section/key" -> value, a list being one value.
void add_leaves(const Config& config, const std::string& prefix, std::map<std::string, Config>& leaves) {
  for (const auto& item : config.items()) {
    const std::string key = (prefix.empty() ? "" : prefix + ".") + item.key();
    if (item.value().is_object()) {
      add_leaves(item.value(), key, leaves);
    } else {
      leaves[key] = item.value();
    }
  }
}

std::string dump_or_absent(const std::map<std::string, Config>& leaves, const std::string& key) {
  const auto it = leaves.find(key);
  return it == leaves.end() ? "absent" : it->second.dump();
}

std::string axis_text(const Config& axis) {
  std::vector<std::string> values;
  for (const Config& value : axis.at("values")) values.push_back(value.get<std::string>());
  return axis.at("key").get<std::string>() + "=" + join(values, ",");
}

/// Indices into each axis, the last one changing fastest.
std::vector<std::vector<size_t>> all_combinations(const std::vector<SweepAxis>& axes) {
  std::vector<std::vector<size_t>> result = {{}};
  for (const SweepAxis& axis : axes) {
    std::vector<std::vector<size_t>> longer;
    for (const auto& head : result) {
      for (size_t v = 0; v < axis.values.size(); ++v) {
        longer.push_back(head);
        longer.back().push_back(v);
      }
    }
    result = std::move(longer);
    ST_CHECK(result.size() <= kMaxRuns, "sweep: more than ", kMaxRuns, " runs");
  }
  return result;
}

SweepSetting make_setting(const SweepGrid& grid, const std::vector<std::string>& names,
                          std::vector<size_t> at) {
  SweepSetting setting;
  std::vector<std::string> parts;
  for (size_t a = 0; a < at.size(); ++a) {
    setting.values.push_back(value_label(grid.axes[a].values[at[a]]));
    parts.push_back(names[a] + "=" + setting.values.back());
  }
  setting.label = parts.empty() ? "recipe" : join(parts);
  setting.at = std::move(at);
  return setting;
}

std::string run_name(const std::vector<std::string>& names, const SweepSetting& setting, int64_t seed) {
  std::string name;
  for (size_t a = 0; a < names.size(); ++a) {
    name += file_name_part(names[a]) + "=" + file_name_part(setting.values[a]) + "_";
  }
  if (name.size() > kMaxName) name = name.substr(0, kMaxName) + "~" + short_hash(name) + "_";
  return name + "seed=" + std::to_string(seed);
}

SweepRun make_run(const SweepGrid& grid, const SweepPlan& plan, size_t index, int64_t seed) {
  const SweepSetting& setting = plan.settings[index];
  SweepRun run;
  run.setting = index;
  run.seed = seed;
  run.name = run_name(plan.short_names, setting, seed);
  for (size_t a = 0; a < grid.axes.size(); ++a)
    run.sets.push_back(grid.axes[a].key + "=" + grid.axes[a].values[setting.at[a]]);
  run.sets.push_back("seed=" + std::to_string(seed));
  return run;
}

/// Errors name the run.
Recipe recipe_of(const SweepGrid& grid, const SweepRun& run) {
  try {
    Config config = grid.base;
    for (const std::string& set : run.sets) apply_set(config, set);
    return make_recipe(config);
  } catch (const UsageError& error) {
    throw UsageError("sweep, run " + run.name + ": " + error.what());
  }
}

void check_run(const Recipe& recipe, const SweepRun& run) {
  try {
    check_recipe(recipe);
  } catch (const UsageError& error) {
    throw UsageError("sweep, run " + run.name + ": " + error.what());
  }
}

int64_t updates_per_batch(const Recipe& recipe) {
  return updates(make<Schedule>(recipe.schedule)->plan({recipe.steps, static_cast<uint64_t>(recipe.seed)}));
}

/// Adds those that no earlier setting has.
void add_metrics(const Recipe& recipe, std::vector<SweepMetric>& list) {
  const Target::Kind kind = dataset_info(recipe.data.name).target.kind;
  std::vector<SweepMetric> own;
  for (const MetricP& metric : make_metrics(recipe, kind))
    own.push_back({label(*metric), metric->greater_is_better()});
  if (own.empty()) own.push_back({"loss", false});
  for (SweepMetric& metric : own) {
    const auto same = [&](const SweepMetric& other) { return other.label == metric.label; };
    if (std::none_of(list.begin(), list.end(), same)) list.push_back(std::move(metric));
  }
}

/// Accuracy of guessing; none for other targets, and where the files say how many classes there are.
std::optional<double> chance_of(const Recipe& recipe) {
  const TargetSpec target = dataset_info(recipe.data.name).target;
  const int64_t classes = numel(target.shape);
  if (target.kind != Target::Kind::class_index || classes < 2) return {};
  return 1.0 / static_cast<double>(classes);
}

}  // namespace

SweepAxis parse_axis(const std::string& text) {
  const std::string origin = "--over " + text;
  const size_t equals = text.find('=');
  ST_CHECK(equals != std::string::npos && equals > 0, origin, ": expected section.key=value1,value2,...");
  SweepAxis axis;
  axis.key = trimmed(text.substr(0, equals));
  axis.values = split_values(text.substr(equals + 1), origin);
  std::set<std::string> seen;
  for (const std::string& value : axis.values) {
    ST_CHECK(!value.empty(), origin, ": a value is empty");
    ST_CHECK(seen.insert(parse_toml_value(value).dump()).second, origin, ": ", value, " comes twice");
  }
  return axis;
}

std::vector<int64_t> parse_seeds(const std::string& text) {
  std::vector<int64_t> seeds;
  for (const std::string& part : split_values(text, "--seed-list " + text)) {
    const Config value = parse_toml_value(part);
    ST_CHECK(value.is_number_integer() && value.get<int64_t>() >= 0, "--seed-list ", text,
             ": expected integers such as 1,2,3; got '", part, "'");
    seeds.push_back(value.get<int64_t>());
    ST_CHECK(std::count(seeds.begin(), seeds.end(), seeds.back()) == 1, "--seed-list ", text, ": ", part,
             " comes twice");
  }
  return seeds;
}

SweepGrid make_grid(Config recipe, const std::vector<std::string>& sets, std::vector<SweepAxis> axes,
                    std::vector<int64_t> seeds) {
  ST_CHECK(!seeds.empty(), "sweep: expected at least one seed");
  std::set<std::string> keys;
  for (const SweepAxis& axis : axes) {
    ST_CHECK(axis.key != "seed", "--over seed: give --seeds or --seed-list; means are taken over the seeds");
    ST_CHECK(keys.insert(axis.key).second, "--over ", axis.key, " comes twice");
  }
  for (const std::string& set : sets) {
    const std::string key = set.substr(0, set.find('='));
    ST_CHECK(!keys.count(key), "--set ", set, ": ", key, " is swept by --over");
    ST_CHECK(key != "seed", "--set ", set, ": give --seed-list");
    apply_set(recipe, set);
  }
  recipe.erase("seed");  // every run sets its own
  return {std::move(recipe), std::move(axes), std::move(seeds)};
}

Config to_json(const SweepGrid& grid) {
  Config axes = Config::array();
  for (const SweepAxis& axis : grid.axes) axes.push_back({{"key", axis.key}, {"values", axis.values}});
  return {{"axes", axes}, {"seeds", grid.seeds}, {"recipe", grid.base}};
}

std::string grid_difference(const Config& before, const Config& now) {
  std::vector<std::string> was, is;
  for (const Config& axis : before.at("axes")) was.push_back(axis_text(axis));
  for (const Config& axis : now.at("axes")) is.push_back(axis_text(axis));
  if (was != is) {
    return "it sweeps " + (was.empty() ? "nothing" : join(was, " and ")) + ", not " +
           (is.empty() ? "nothing" : join(is, " and "));
  }
  if (before.at("seeds") != now.at("seeds"))
    return "its seeds are " + before.at("seeds").dump() + ", not " + now.at("seeds").dump();
  std::map<std::string, Config> a, b;
  add_leaves(before.at("recipe"), "", a);
  add_leaves(now.at("recipe"), "", b);
  std::set<std::string> keys;
  for (const auto& item : a) keys.insert(item.first);
  for (const auto& item : b) keys.insert(item.first);
  for (const std::string& key : keys) {
    const std::string x = dump_or_absent(a, key), y = dump_or_absent(b, key);
    if (x != y) return "its " + key + " is " + x + ", not " + y;
  }
  return "";
}

std::vector<std::string> short_keys(const SweepGrid& grid) {
  std::vector<std::string> names;
  for (const SweepAxis& axis : grid.axes) {
    std::string key = axis.key;
    const std::string ending = ".name";
    if (key.size() > ending.size() && key.compare(key.size() - ending.size(), ending.size(), ending) == 0)
      key.resize(key.size() - ending.size());
    names.push_back(key.substr(key.rfind('.') + 1));  // npos + 1 is 0
  }
  std::vector<std::string> result;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool ambiguous = names[i] == "seed" || std::count(names.begin(), names.end(), names[i]) > 1;
    result.push_back(ambiguous ? grid.axes[i].key : names[i]);
  }
  return result;
}

std::string value_label(const std::string& value) {
  const Config parsed = parse_toml_value(value);
  if (!parsed.is_string()) return parsed.dump();
  const auto& text = parsed.get_ref<const std::string&>();
  const bool plain = !text.empty() && parse_toml_value(text) == parsed;
  return plain ? text : parsed.dump();
}

std::string file_name_part(const std::string& text) {
  std::string part;
  for (const unsigned char c : text) {
    const bool plain = c < 128 && c != 0 && (std::isalnum(c) || std::strchr("._+-", c));
    if (plain) {
      part += static_cast<char>(c);
    } else if (!part.empty() && part.back() != '-') {
      part += '-';
    }
  }
  if (!text.empty() && part == text && part.size() <= kMaxPart) return part;
  part = part.substr(0, kMaxPart);
  while (!part.empty() && part.back() == '-') part.pop_back();
  return part + "~" + short_hash(text);
}

SweepPlan plan_sweep(const SweepGrid& grid) {
  SweepPlan plan;
  for (const SweepAxis& axis : grid.axes) plan.keys.push_back(axis.key);
  plan.short_names = short_keys(grid);
  plan.seeds = grid.seeds;
  for (auto& at : all_combinations(grid.axes))
    plan.settings.push_back(make_setting(grid, plan.short_names, std::move(at)));
  ST_CHECK(plan.settings.size() * grid.seeds.size() <= kMaxRuns, "sweep: more than ", kMaxRuns, " runs");

  std::map<std::string, std::string> by_recipe;
  for (size_t s = 0; s < plan.settings.size(); ++s) {
    int64_t updates = 0;
    for (const int64_t seed : grid.seeds) {
      SweepRun run = make_run(grid, plan, s, seed);
      if (updates == 0) {  // the runs of a setting differ in the seed only
        const Recipe recipe = recipe_of(grid, run);
        check_run(recipe, run);
        const auto [same, added] = by_recipe.emplace(resolve(recipe).dump(), run.name);
        ST_CHECK(added, "sweep: the runs ", same->second, " and ", run.name, " would be the same");
        updates = updates_per_batch(recipe);
        add_metrics(recipe, plan.metrics);
        const std::optional<double> chance = chance_of(recipe);
        plan.chance = plan.runs.empty() || plan.chance == chance ? chance : std::nullopt;
      }
      run.updates_per_batch = updates;
      plan.runs.push_back(std::move(run));
      plan.unequal_updates = plan.unequal_updates || updates != plan.runs.front().updates_per_batch;
    }
  }
  return plan;
}

RunState run_state(const std::string& run_dir) {
  if (run_is_done(run_dir)) return RunState::done;
  std::error_code error;
  const bool empty = !std::filesystem::exists(run_dir, error) || std::filesystem::is_empty(run_dir, error);
  return empty ? RunState::fresh : RunState::started;
}

}  // namespace spiketrain
