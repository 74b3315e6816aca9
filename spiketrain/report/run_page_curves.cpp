// Sections 2 and 3 of a run's page: curves over epochs, and layer by layer.
#include <algorithm>
#include <cmath>

#include "spiketrain/base/text.h"
#include "spiketrain/report/report.h"
#include "spiketrain/report/run_page_parts.h"

namespace spiketrain::page {
namespace {

constexpr const char* kSplits[] = {"train", "validation", "test"};

/// Of one run its curves have colours, marks and dashes of their own; of several the run gives colour and mark, the curve the dashes.
PlotLook look_of(const Runs& runs, size_t run, size_t curve) {
  if (runs.size() == 1) return {curve, curve};
  return {run, run, curve};
}

std::string metric_chart(const Runs& runs, const std::string& metric) {
  const Shown shown = shown_as(metric);
  Chart c;
  c.name = metric + " over epochs";
  c.about = "Curves of " + metric + " by epoch on the training, validation and test samples.";
  c.x_title = "epoch";
  c.y_title = metric + (is_share(metric) ? " (%)" : "");
  c.logarithmic = !is_share(metric);
  for (size_t i = 0; i < runs.size(); ++i) {
    const MetricCurves* of = runs[i].curves(metric);
    if (!of) continue;
    for (const Curve& curve : of->splits) {
      const auto split =
          static_cast<size_t>(std::find(std::begin(kSplits), std::end(kSplits), curve.name) - kSplits);
      ChartLine line{
          {}, runs.size() == 1 ? curve.name : run_name(runs, i) + ", " + curve.name, look_of(runs, i, split)};
      for (const auto& [x, y] : curve.points) {
        line.points.emplace_back(x, shown.scale * y);
        c.logarithmic = c.logarithmic && y > 0;
      }
      line.strong = curve.name == "test";
      c.lines.push_back(std::move(line));
    }
    const int64_t epoch = of->best.validation_epoch > 0 ? of->best.validation_epoch : of->best.test_epoch;
    if (epoch > 0 && metric == runs[i].first_metric)
      c.places.push_back({static_cast<double>(epoch), "best epoch " + std::to_string(epoch) +
                                                          (runs.size() > 1 ? ", " + run_name(runs, i) : "")});
  }
  return figure(metric, chart(c), c.logarithmic ? "Logarithmic axis." : "");
}

std::string curves_chart(const Runs& runs, const std::string& name, const std::string& y_title,
                         bool logarithmic, std::vector<Curve> RunData::*curves, const std::string& caption) {
  Chart c;
  c.name = name + " over epochs";
  c.about = "A line for each layer, by epoch.";
  c.x_title = "epoch";
  c.y_title = y_title;
  c.logarithmic = logarithmic;
  std::vector<std::pair<std::string, PlotLook>> items;
  std::vector<std::string> zeros;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::vector<Curve>& list = runs[i].*curves;
    for (size_t k = 0; k < list.size(); ++k) {
      const std::string title = runs.size() == 1 ? list[k].name : run_name(runs, i) + ", " + list[k].name;
      c.lines.push_back({list[k].points, title, look_of(runs, i, k)});
      items.emplace_back(title, look_of(runs, i, k));
      if (std::any_of(list[k].points.begin(), list[k].points.end(),
                      [](const auto& p) { return p.second <= 0; }))
        zeros.push_back(title);
    }
  }
  const std::string picture = chart(c);
  if (picture.empty()) return "";
  const std::string left_out =
      logarithmic && !zeros.empty() ? " Zero, and left out, in epochs of: " + join(zeros) + "." : "";
  return figure(name, picture + key(items), caption + left_out);
}

std::string learning_rates(const Runs& runs) {
  Chart c;
  c.name = "learning rate over epochs";
  c.about = "The learning rate of the last update of each epoch.";
  c.x_title = "epoch";
  c.y_title = "learning rate";
  c.height = 220;
  std::vector<std::pair<std::string, PlotLook>> items;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].learning_rate.points.empty()) continue;
    c.lines.push_back({runs[i].learning_rate.points, run_name(runs, i), {i, i}});
    items.emplace_back(run_name(runs, i), PlotLook{i, i});
  }
  const std::string picture = chart(c);
  if (picture.empty()) return "";
  return figure("learning rate", picture + key(items), "Of the last update of the epoch.");
}

/// The numbers of the last epoch of layer curves.
std::string last_values(const std::vector<Curve>& list, const std::string& what, const std::string& caption) {
  Cells rows = {{"layer", what}};
  for (const Curve& layer : list)
    if (!layer.points.empty()) rows.push_back({layer.name, short_text(layer.points.back().second)});
  return rows.size() == 1 ? "" : table(rows, caption);
}

std::string last_rows(const RunData& run) {
  return "<div class=\"plots\"><div>" +
         last_values(run.rates, "firing rate", "Last epoch, while training: spikes per neuron and step.") +
         "</div><div>" + last_values(run.grad_norms, "gradient norm", "Last epoch: mean over its updates.") +
         "</div></div>\n";
}

std::string activity(const RunData& run) {
  if (!run.passes || run.passes->layers.empty()) return "";
  std::string html = "<h3>Firing rates of single neurons, test samples</h3>\n<div class=\"small\">\n";
  Cells rows = {{"layer", "neurons", "rate", "never fire"}};
  size_t k = 0;
  for (const LayerActivity& layer : run.passes->layers) {
    const std::string about = "Number of neurons of layer " + layer.name + " by their firing rate.";
    html += figure(
        layer.name,
        histogram_chart("rates of layer " + layer.name, about, layer.rates, "spikes per step", "neurons",
                        {k, 0}),
        percent_text(layer.silent) + " of " + count_text(static_cast<double>(layer.neurons)) + " never fire");
    rows.push_back({layer.name, count_text(static_cast<double>(layer.neurons)), short_text(layer.rate),
                    percent_text(layer.silent)});
    ++k;
  }
  return html + "</div>\n" +
         table(rows, "Over " + count_text(static_cast<double>(run.passes->samples)) + " test samples.");
}

std::string weights(const RunData& run) {
  if (run.weights.empty()) return "";
  std::string html = "<h3>Weights</h3>\n<div class=\"small\">\n";
  Cells rows = {{"weights", "number", "zero", "min", "mean", "max"}};
  size_t k = 0;
  for (const WeightValues& w : run.weights) {
    const Histogram& h = w.values;
    html += figure(w.name, histogram_chart("weights of " + w.name, "Number of weights by value.", h, "weight",
                                           "weights", {k, 0}));
    rows.push_back(
        {w.name, count_text(static_cast<double>(w.count)), percent_text(w.zeros), short_text(h.least),
         short_text(h.sum / static_cast<double>(std::max<int64_t>(1, w.count))), short_text(h.most)});
    ++k;
  }
  const bool best = run.weights_file.find("best.safetensors") != std::string::npos;
  return html + "</div>\n" +
         table(rows, (best ? "Weights of the best epoch: " : "Weights of the newest checkpoint: ") +
                         run.weights_file + ".");
}

}  // namespace

std::string curves(const Runs& runs) {
  std::vector<std::string> metrics = {"loss"};
  for (const RunData& run : runs)
    for (const MetricCurves& m : run.metrics)
      if (std::find(metrics.begin(), metrics.end(), m.metric) == metrics.end()) metrics.push_back(m.metric);
  std::vector<std::pair<std::string, PlotLook>> items;
  for (size_t i = 0; i < runs.size(); ++i) {
    const MetricCurves* loss = runs[i].curves("loss");
    if (!loss) continue;
    for (const Curve& curve : loss->splits) {
      const auto split =
          static_cast<size_t>(std::find(std::begin(kSplits), std::end(kSplits), curve.name) - kSplits);
      items.emplace_back(runs.size() == 1 ? curve.name : run_name(runs, i) + ", " + curve.name,
                         look_of(runs, i, split));
    }
  }
  std::string body = key(items) + "<div class=\"plots\">\n";
  for (const std::string& metric : metrics) body += metric_chart(runs, metric);
  body += learning_rates(runs) + "</div>\n";
  body += paragraph(
      "Training values are means over the epoch while it learns, so they lag behind the others.", "soft");
  const bool any = std::any_of(runs.begin(), runs.end(), [](const RunData& r) { return r.epochs_done > 0; });
  return section("curves", "Loss and metrics over epochs",
                 any ? body : paragraph("No epoch is complete yet."));
}

std::string layers(const Runs& runs) {
  std::string body = "<div class=\"plots\">\n";
  body +=
      curves_chart(runs, "firing rate, training", "spikes per neuron and step", false, &RunData::rates, "");
  body += curves_chart(runs, "gradient norm", "norm", true, &RunData::grad_norms,
                       "Mean over the updates of an epoch, before clipping. Logarithmic axis.");
  body += "</div>\n";
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs.size() > 1) body += "<h3>" + escape_html(run_name(runs, i)) + "</h3>\n";
    body += last_rows(runs[i]) + activity(runs[i]) + weights(runs[i]);
  }
  return section("layers", "Layer by layer", body);
}

}  // namespace spiketrain::page
