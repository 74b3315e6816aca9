// The page of a run: sound, complete, and nothing in it that report.json does not say.
#include "spiketrain/report/run_page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <set>

#include "spiketrain/base/text.h"
#include "spiketrain/report/chart.h"
#include "spiketrain/report/run_page_parts.h"
#include "tests/support/report_runs.h"

namespace spiketrain::run_page_test {

size_t count_of(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A run made by hand.
RunData by_hand(const std::string& path) {
  RunData run;
  run.path = path;
  run.title = "a <run> & more";
  run.network = "2-3";
  run.method = "rule bptt";
  run.data = "glyphs";
  run.steps = 10;
  run.batch = 20;
  run.epochs_planned = 3;
  run.epochs_done = 2;
  run.seconds = 75;
  run.updates = 40;
  run.skipped = 1;
  run.clipped = 7;
  run.step_milliseconds = 12.5;
  run.first_metric = "accuracy";
  Best best;
  best.test = 0.875, best.test_epoch = 1;
  run.metrics = {{"accuracy", {{"train", {{1, 0.5}, {2, 0.75}}}, {"test", {{1, 0.875}, {2, 0.8125}}}}, best},
                 {"loss", {{"train", {{1, 2.5}, {2, 0.0625}}}, {"test", {{1, 2}, {2, 1}}}}, {}}};
  run.learning_rate = {"learning rate", {{1, 1e-3}, {2, 1e-4}}};
  run.rates = {{"0 2", {{1, 0.1}, {2, 0.203125}}}};
  run.grad_norms = {{"0 2", {{1, 10}, {2, 0.015625}}}};
  run.weights = {{"0 2 weight", 4, 0.25, {-1, 1, 0.5, 1, {-1, 0, 1}, {3, 1}}}};
  run.config = {{"seed", 1}, {"rule", {{"name", "bptt"}}}};
  run.recipe = "seed = 1 # <&>\n";
  run.command = "spiketrain train x/config.toml";
  run.cost = {{"ac", 1234567}, {"energy_uj", 0.125}};
  return run;
}

RunPasses passes() {
  RunPasses p;
  p.weights = "w.safetensors";
  p.samples = 8;
  p.available = 100;
  p.metric = "accuracy";
  p.value = 0.75;
  p.loss = 0.375;
  p.layers = {{"0 2", 2, 0.125, 0.5, {0, 0.5, 0.5, 0.25, {0, 0.25, 0.5}, {1, 1}}}};
  p.confusion = {{3, 1}, {1, 3}};
  p.mistakes = {{0, 1, 1, {{5, 1, 1, "png"}}}, {1, 0, 1, {}}};
  p.latency = {{1, 0.25}, {2, 0.75}};
  p.rasters = {
      {5,
       0,
       1,
       {{"input", 100, {0, 7}, false, {{0, 0.5}, {1, 0}}}, {"0 2", 2, {0, 1}, true, {{0, 1}, {1, 0}}}},
       {{0.5, 1.5}, {0, -1}}}};
  p.notes = {"a <note>"};
  NeuroBench n;
  n.footprint = 4096;
  n.parameter_count = 1024;
  n.activity = NeuroBench::Activity{8, 0.875, 2.5, 100.25, 12.0};
  p.neurobench = n;
  return p;
}

TEST(RunPage, ShowsTheNumbers) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  run.warnings = {"a <warning>"};
  const std::string html = run_page({run});
  expect_sound_page(html);
  for (const char* text : {"a &lt;run&gt; &amp; more",
                           ">81.25 %</p>",
                           "best of all epochs 87.50 % (epoch 1)",
                           "stopped, 2 of 3 epochs",
                           "a &lt;warning&gt;",
                           "1 min 15 s",
                           "40, 7 of them clipped, 1 left out",
                           "best epoch 1",
                           ">0.2031<",
                           ">0.01562<",
                           "25.00 %",
                           "50.00 % of 2 never fire",
                           "class 0, taken for 1 (test sample 5)",
                           "2 of 100",
                           "75.0</span>",
                           "0 taken for 1: 1",
                           "alt=\"test sample 5, class 0\"",
                           "base64,cG5n\"",
                           "over 8 of 100 test samples",
                           "1,234,567",
                           ">12.5<",
                           ">1.25<",
                           "Effective_ACs",
                           ">100.2<",
                           "seed = 1 # &lt;&amp;&gt;",
                           "spiketrain train x/config.toml",
                           "a &lt;note&gt;",
                           "@media print",
                           "prefers-color-scheme"})
    EXPECT_TRUE(has(html, text)) << text;
  EXPECT_EQ(count_of(html, "<section"), 7U);
  EXPECT_EQ(count_of(html, "<h1"), 1U);
}

TEST(RunPage, OfSeveralRunsHasAllCurvesAndDifferences) {
  RunData a = by_hand("runs/a"), b = by_hand("other/b"), c = by_hand("third/b");
  b.config["rule"]["name"] = "sltt";
  b.metrics[0].best.test = 0.90625;
  a.passes = passes();
  const std::string html = run_page({a, b, c});
  expect_sound_page(html);
  for (const char* text :
       {"3 runs", ">a</th>", ">other/b</th>", ">third/b</th>", "90.62 % (epoch 1)", "rule.name",
        "&quot;sltt&quot;", "a, train", "other/b, test", "Not measured; the verdict says why."})
    EXPECT_TRUE(has(html, text)) << text;
  a.passes.reset();
  EXPECT_EQ(count_of(run_page({a, b, c}), "class=\"hit\""), 3 * count_of(run_page({a}), "class=\"hit\""))
      << "every curve";
}

TEST(RunPage, OfNothingIsSound) {
  RunData run;
  run.path = "runs/new";
  run.title = "new";
  run.first_metric = "accuracy";
  run.metrics = {{"accuracy", {}, {}}, {"loss", {}, {}}};
  run.missing = {"curves: no epoch is complete yet; train on"};
  const std::string html = run_page({run});
  expect_sound_page(html);
  EXPECT_TRUE(has(html, "No epoch is complete yet."));
  EXPECT_TRUE(has(html, "train on"));
  EXPECT_NE(message_of<UsageError>([] { run_page({}); }).find("at least one run"), std::string::npos);
}

TEST(RunPage, ClassesWithNamesAreCalledByThem) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  std::vector<std::string> names;
  for (size_t c = 0; c < run.passes->confusion.size(); ++c) names.push_back(str("cup & ", c));
  run.passes->target = TargetSpec::class_index(static_cast<int64_t>(names.size()), names);
  const std::string html = run_page({run});
  expect_sound_page(html);
  EXPECT_TRUE(has(html, "<th scope=\"row\">0 cup &amp; 0</th>"));
}

TEST(RunPage, ManyClassesBecomeAList) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  run.passes->confusion.assign(100, std::vector<int64_t>(100, 1));
  const std::string html = run_page({run});
  expect_sound_page(html);
  EXPECT_FALSE(has(html, "class=\"matrix\""));
  EXPECT_TRUE(has(html, "The matrix of 100 classes is in the JSON file beside this page"));
  EXPECT_TRUE(has(html, ">1.00 %<"));
}

/// The rows of all tables up to the section of the recipe: heading and cells, separated by "|", with a blank before what is small.
std::multiset<std::string> rows_of(const std::string& html) {
  std::multiset<std::string> rows;
  const size_t last = html.find("<section id=\"origin\"");
  for (size_t at = 0; (at = html.find("<tr><th scope=\"row\">", at)) < last;) {
    const size_t end = html.find("</tr>", at);
    std::string row = html.substr(at, end - at);
    row = std::regex_replace(row, std::regex("<span>"), " ");
    row = std::regex_replace(row, std::regex("</t[hd]><t[hd][^>]*>"), "|");
    rows.insert(std::regex_replace(row, std::regex("<[^>]*>"), ""));
    at = end;
  }
  return rows;
}

/// The same rows, made of the numbers in report.json.
class ExpectedRows {
 public:
  explicit ExpectedRows(const Config& run) : run_(run), passes_(run["passes"]) {
    verdict();
    layers();
    decisions();
    costs();
  }
  std::multiset<std::string> rows;

 private:
  using Cells = std::vector<std::string>;
  void add(const std::string& name, const Cells& cells) {
    rows.insert(escape_html(name) + "|" + join(cells, "|"));
  }
  static std::string count(const Config& n) { return page::count_text(n.get<double>()); }
  static std::string number(const Config& n) { return short_text(n.get<double>()); }
  static std::string percent(const Config& n) { return page::percent_text(n.get<double>()); }

  void verdict() {
    add("status", {str("complete, ", run_["epochs"], " of ", run_["epochs_planned"], " epochs")});
    for (const Config& m : run_["metrics"]) {
      const std::string metric = m["metric"];
      const auto value = [&](const Config& v) { return page::metric_text(metric, v.get<double>()); };
      const auto best = [&](const char* v, const char* epoch) {
        return value(m[v]) + " (epoch " + m[epoch].dump() + ")";
      };
      const auto last = [&](size_t split) { return value(m["splits"][split]["points"].back()[1]); };
      if (metric != "loss") add("best test " + metric, {best("best_test", "best_test_epoch")});
      add("last test " + metric, {last(2)});
      add("last training " + metric, {last(0)});
      if (m["best_validation_epoch"] == 0) continue;
      add("best validation " + metric, {best("best_validation", "best_validation_epoch")});
      add("test at best validation " + metric, {best("test_at_best_validation", "best_validation_epoch")});
    }
    add("network", {run_["network"]});
    add("method", {run_["method"]});
    add("data, steps, seed", {str("glyphs, T = ", run_["steps"], ", seed ", run_["seed"])});
    add("duration", {page::seconds_text(run_["seconds"])});
    const std::string clipped = run_["clipped"] > 0 ? ", " + count(run_["clipped"]) + " of them clipped" : "";
    add("updates", {count(run_["updates"]) + clipped});
  }
  void layers() {
    for (const char* list : {"rates", "grad_norms"})
      for (const Config& layer : run_[list]) add(layer["name"], {number(layer["points"].back()[1])});
    for (const Config& layer : passes_["layers"])
      add(layer["name"], {count(layer["neurons"]), number(layer["rate"]), percent(layer["silent"])});
    for (const Config& w : run_["weights"]) {
      const Config& h = w["values"];
      add(w["name"], {count(w["count"]), percent(w["zeros"]), number(h["least"]),
                      short_text(h["sum"].get<double>() / w["count"].get<double>()), number(h["most"])});
    }
  }
  void decisions() {
    const Config& matrix = passes_["confusion"];
    for (size_t r = 0; r < matrix.size(); ++r) {
      double all = 0;
      for (const Config& n : matrix[r]) all += n.get<double>();
      Cells cells;
      for (const Config& n : matrix[r])
        cells.push_back(n.dump() + (n > 0 ? " " + fixed_number(100 * n.get<double>() / all, 1) : ""));
      cells.push_back(fixed_number(all, 0));
      add(std::to_string(r), cells);
    }
    const Config& points = passes_["latency"];
    const auto enough = std::find_if(points.begin(), points.end(), [&](const Config& p) {
      return p[1].get<double>() >= 0.99 * points.back()[1].get<double>();
    });
    const auto at = [](const Config& p) {
      return page::metric_text("accuracy", p[1]) + " (" + number(p[0]) + ")";
    };
    add("this run", {number((*enough)[0]), at(points.front()), at(points.back())});
  }
  void costs() {
    const Config &cost = run_["cost"], &bench = passes_["neurobench"],
                 &operations = bench["synaptic_operations"];
    add("parameters", {count(run_["parameters"])});
    for (const auto& [name, key] : std::vector<std::pair<const char*, const char*>>{
             {"AC, dense", "ac"},
             {"MAC forward", "mac_forward"},
             {"MAC forward, carried out", "mac_forward_run"},
             {"MAC of the error", "mac_error"},
             {"MAC of weight gradients", "mac_weight"},
             {"elementwise operations", "vector"},
             {"32-bit words moved", "memory_words"},
             {"bytes of activations", "activation_bytes"},
             {"bytes of activations, end to end", "activation_bytes_end_to_end"}})
      add(name, {count(cost[key])});
    add("energy, an estimate (uJ)", {number(cost["energy_uj"])});
    const double step = run_["step_milliseconds"];
    add("time of a training step, batch (ms)", {short_text(step)});
    add("the same, per step of the sequence (ms)", {short_text(step / run_["steps"].get<double>())});
    add("samples in a batch", {count(run_["batch"])});
    add("peak memory of the process (MiB)", {number(run_["peak_memory_mib"])});
    add("time of the whole run", {page::seconds_text(run_["seconds"])});
    add("footprint (bytes)", {count(bench["footprint"])});
    for (const char* key :
         {"parameter_count", "connection_sparsity", "activation_sparsity", "membrane_updates"})
      add(key, {key[0] == 'p' ? count(bench[key]) : number(bench[key])});
    for (const char* key : {"Effective_ACs", "Effective_MACs", "Dense"})
      add(str("synaptic_operations ", key), {number(operations[key])});
    add("test samples", {count(bench["samples"])});
  }

  const Config &run_, &passes_;
};

TEST(RunPage, RowsAreNumbersOfTheJson) {
  const TempDir dir;
  train_for_report(dir / "run", {});
  RunData run = read_run_data(dir / "run");
  measure_run(run, {});
  const std::string html = run_page({run});
  expect_sound_page(html);
  const Config json = Config::parse(run_report_json({run}).dump());
  const std::multiset<std::string> shown = rows_of(html), expected = ExpectedRows(json["runs"][0]).rows;
  EXPECT_GT(shown.size(), 45U);
  std::vector<std::string> more, less;
  std::set_difference(shown.begin(), shown.end(), expected.begin(), expected.end(), std::back_inserter(more));
  std::set_difference(expected.begin(), expected.end(), shown.begin(), shown.end(), std::back_inserter(less));
  EXPECT_TRUE(more.empty()) << "shown, but not in the JSON:\n" << join(more, "\n");
  EXPECT_TRUE(less.empty()) << "in the JSON, but not shown:\n" << join(less, "\n");
}

/// Attributes of the lines of a page that have this title: colour, dashes, and the first element that marks a point.
std::string look_in(const std::string& html, const std::string& title) {
  const size_t group = html.rfind("<g", html.find("<title>" + title + "</title>"));
  const std::string line = html.substr(group, html.find("</g>", group) - group);
  const size_t point = html.find("<title>" + title + ": ", group),
               shape = html.find("</title>\n<", point) + 10;
  const size_t dashes = line.find("stroke-dasharray");
  return line.substr(0, line.find('>')) + " " +
         (dashes == std::string::npos ? "solid" : line.substr(dashes, line.find('/', dashes) - dashes)) +
         " " + html.substr(shape, html.find(' ', shape) - shape) +
         (html.compare(shape, 7, "polygon") == 0
              ? std::to_string(std::count(html.begin() + static_cast<std::ptrdiff_t>(shape),
                                          html.begin() + static_cast<std::ptrdiff_t>(html.find("/>", shape)),
                                          ','))
              : "");
}

/// Of several runs the mark says which, the dashes which curve of it: without colours the eye has both.
TEST(RunPage, RunsAreToldApartWithoutColours) {
  const RunData a = by_hand("runs/a"), b = by_hand("runs/b");
  const std::string html = run_page({a, b});
  const auto without_color = [](const std::string& look) {
    return look.substr(look.find('"', look.find('"') + 1));
  };
  std::set<std::string> looks;
  for (const char* title : {"a, train", "a, test", "b, train", "b, test"})
    looks.insert(without_color(look_in(html, title)));
  EXPECT_EQ(looks.size(), 4U) << join({looks.begin(), looks.end()}, "\n");
  const size_t rates = html.find("<h4>learning rate</h4>"), end = html.find("</figure>", rates);
  EXPECT_TRUE(has(html.substr(rates, end - rates), "class=\"key\"")) << "a key for learning rates";
  RunData many = a;
  for (int e = 3; e <= 400; ++e)
    for (Curve& split : many.metrics[1].splits) split.points.emplace_back(e, 1);
  many.path = "runs/c";
  EXPECT_TRUE(has(run_page({many, b}), "<title>c, train: epoch 400, ")) << "long curves have marks, too";
}

TEST(RunPage, OtherOptionsAreShown) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  run.passes->sets = {"steps=20"};
  run.passes->steps = 20;
  const std::string html = run_page({run});
  EXPECT_TRUE(has(html, "T = 10 (measured with 20)"));
  EXPECT_TRUE(has(html, "weights w.safetensors, --set steps=20."));
}

TEST(RunPage, NamesTheWeightsItShows) {
  RunData run = by_hand("runs/a");
  run.weights_file = "runs/a/ckpt/best.safetensors";
  EXPECT_TRUE(has(run_page({run}), "Weights of the best epoch: runs/a/ckpt/best.safetensors."));
  run.weights_file = "runs/a/ckpt/0000000007.safetensors";
  EXPECT_TRUE(has(run_page({run}), "Weights of the newest checkpoint: runs/a/ckpt/0000000007.safetensors."));
}

TEST(RunPage, LayersWithoutGradientAreNamed) {
  RunData run = by_hand("runs/a");
  run.grad_norms.push_back({"1 still", {{1, 0}, {2, 0}}});
  EXPECT_TRUE(has(run_page({run}), "Zero, and left out, in epochs of: 1 still."));
  EXPECT_FALSE(has(run_page({by_hand("runs/a")}), "left out, in epochs"));
}

}  // namespace spiketrain::run_page_test
