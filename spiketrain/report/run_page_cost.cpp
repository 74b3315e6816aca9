// Sections 6 and 7 of a run's page: what it costs, and where it comes from.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "spiketrain/report/run_page_parts.h"

namespace spiketrain::page {
namespace {

using CellOf = std::function<std::string(const RunData&)>;

/// A number of cost.json.
CellOf counted(const std::string& key) {
  return [key](const RunData& run) {
    const auto it = run.cost.find(key);
    return it != run.cost.end() && it->is_number() ? count_text(it->get<double>()) : std::string("-");
  };
}

class Facts {
 public:
  explicit Facts(const Runs& runs) : runs_(runs), rows_{heading_row(runs)} {}
  /// A row, unless no run has it.
  void add(const std::string& name, const CellOf& cell) {
    std::vector<std::string> row = {name};
    for (const RunData& run : runs_) row.push_back(cell(run));
    if (std::any_of(row.begin() + 1, row.end(), [](const std::string& text) { return text != "-"; }))
      rows_.push_back(row);
  }
  std::string html(const std::string& caption) const { return rows_.size() > 1 ? table(rows_, caption) : ""; }

 private:
  const Runs& runs_;
  Cells rows_;
};

std::string training_cost(const Runs& runs) {
  Facts facts(runs);
  facts.add("parameters", [](const RunData& r) {
    return r.parameters > 0 ? count_text(static_cast<double>(r.parameters)) : "-";
  });
  facts.add("AC, dense", counted("ac"));
  facts.add("MAC forward", counted("mac_forward"));
  facts.add("MAC forward, carried out", counted("mac_forward_run"));
  facts.add("MAC of the error", counted("mac_error"));
  facts.add("MAC of weight gradients", counted("mac_weight"));
  facts.add("elementwise operations", counted("vector"));
  facts.add("32-bit words moved", counted("memory_words"));
  facts.add("energy, an estimate (uJ)", [](const RunData& run) {
    const auto it = run.cost.find("energy_uj");
    return it != run.cost.end() && it->is_number() ? short_text(it->get<double>()) : std::string("-");
  });
  facts.add("bytes of activations", counted("activation_bytes"));
  facts.add("bytes of activations, end to end", counted("activation_bytes_end_to_end"));
  return facts.html("Training, per sample (cost.json; docs/cost-meter.md says what is counted).");
}

std::string run_cost(const Runs& runs) {
  Facts facts(runs);
  const auto positive = [](double value, const std::string& text) {
    return value > 0 ? text : std::string("-");
  };
  facts.add("time of a training step, batch (ms)",
            [&](const RunData& r) { return positive(r.step_milliseconds, short_text(r.step_milliseconds)); });
  facts.add("the same, per step of the sequence (ms)", [&](const RunData& r) {
    return positive(r.step_milliseconds,
                    short_text(r.step_milliseconds / static_cast<double>(std::max<int64_t>(1, r.steps))));
  });
  facts.add("samples in a batch", [](const RunData& r) { return count_text(static_cast<double>(r.batch)); });
  facts.add("peak memory of the process (MiB)",
            [&](const RunData& r) { return positive(r.peak_memory_mib, short_text(r.peak_memory_mib)); });
  facts.add("time of the whole run",
            [&](const RunData& r) { return positive(r.seconds, seconds_text(r.seconds)); });
  return facts.html("As measured while it trained.");
}

/// What passes measured, else what the run's own cost.json has.
Config neurobench_of(const RunData& run) {
  if (run.passes && run.passes->neurobench) return to_json(*run.passes->neurobench);
  const Config json = run.cost.value("neurobench", Config());
  return json.is_object() ? json : Config::object();
}

std::string neurobench_table(const Runs& runs) {
  Facts facts(runs);
  std::vector<Config> all;
  for (const RunData& run : runs) all.push_back(neurobench_of(run));
  const auto value = [&](const std::string& group, const std::string& key, bool whole) {
    return [&all, &runs, group, key, whole](const RunData& run) {
      const Config& json = all[static_cast<size_t>(&run - runs.data())];
      const Config from = group.empty() ? json : json.value(group, Config());
      const auto it = from.find(key);
      if (it == from.end() || !it->is_number()) return std::string("-");
      return whole ? count_text(it->get<double>()) : short_text(it->get<double>());
    };
  };
  facts.add("footprint (bytes)", value("", "footprint", true));
  facts.add("parameter_count", value("", "parameter_count", true));
  facts.add("connection_sparsity", value("", "connection_sparsity", false));
  facts.add("activation_sparsity", value("", "activation_sparsity", false));
  facts.add("synaptic_operations Effective_ACs", value("synaptic_operations", "Effective_ACs", false));
  facts.add("synaptic_operations Effective_MACs", value("synaptic_operations", "Effective_MACs", false));
  facts.add("synaptic_operations Dense", value("synaptic_operations", "Dense", false));
  facts.add("membrane_updates", value("", "membrane_updates", false));
  facts.add("test samples", value("", "samples", true));
  return facts.html("Inference, per sample, by NeuroBench's names and definitions.");
}

/// "section.option" -> value.
void add_leaves(const Config& config, const std::string& prefix, std::map<std::string, std::string>& leaves) {
  for (const auto& item : config.items()) {
    if (item.value().is_object()) {
      add_leaves(item.value(), prefix + item.key() + ".", leaves);
    } else {
      leaves[prefix + item.key()] = item.value().dump();
    }
  }
}

std::string differences(const Runs& runs) {
  if (runs.size() < 2) return "";
  std::vector<std::map<std::string, std::string>> all(runs.size());
  std::map<std::string, std::string> keys;
  for (size_t i = 0; i < runs.size(); ++i) {
    add_leaves(runs[i].config, "", all[i]);
    keys.insert(all[i].begin(), all[i].end());
  }
  Cells rows = {heading_row(runs, "option")};
  for (const auto& item : keys) {
    std::vector<std::string> row = {item.first};
    for (const auto& leaves : all) row.push_back(leaves.count(item.first) ? leaves.at(item.first) : "-");
    if (std::any_of(row.begin() + 2, row.end(), [&](const std::string& text) { return text != row[1]; }))
      rows.push_back(row);
  }
  if (rows.size() == 1) return paragraph("The recipes are the same.");
  return table(rows, "Options in which the recipes differ.", "facts");
}

std::string json_table(const Config& json, const std::string& caption) {
  if (json.empty()) return "";
  std::map<std::string, std::string> leaves;
  add_leaves(json, "", leaves);
  Cells rows = {{}};
  for (const auto& [key, value] : leaves) {
    const bool quoted = value.size() > 1 && value.front() == '"';
    rows.push_back({key, quoted ? Config::parse(value).get<std::string>() : value});
  }
  return table(rows, caption, "facts");
}

std::string again(const RunData& run) {
  const std::string seed = "seed " + std::to_string(run.seed);
  if (run.command.empty())
    return "Trained on tensors that a program gave, " + seed + "; only such a program can train it again.";
  return "Train it again, " + seed + ": <code>" + escape_html(run.command) + "</code>";
}

}  // namespace

std::string costs(const Runs& runs) {
  const std::string body = "<div class=\"plots\"><div>" + training_cost(runs) + "</div><div>" +
                           run_cost(runs) + "</div><div>" + neurobench_table(runs) + "</div></div>\n";
  return section("cost", "Cost", body);
}

std::string origin(const Runs& runs) {
  std::string body = differences(runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunData& run = runs[i];
    if (runs.size() > 1) body += "<h3>" + escape_html(run_name(runs, i)) + "</h3>\n";
    body += "<p>" + again(run) + "</p>\n";
    body += json_table(run.environment, "What it ran on.") +
            json_table(run.fingerprint, "Fingerprint of the data.");
    body += "<details" + std::string(runs.size() == 1 ? " open=\"open\"" : "") +
            "><summary>Recipe, every option with its value</summary><pre>" + escape_html(run.recipe) +
            "</pre></details>\n";
  }
  return section("origin", "Recipe, environment and data", body);
}

}  // namespace spiketrain::page
