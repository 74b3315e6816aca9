// RunData as report.json has it.
#include "spiketrain/report/run_data.h"

namespace spiketrain {
namespace {

Config json_of(const Points& points) {
  Config json = Config::array();
  for (const auto& [x, y] : points) json.push_back({x, y});
  return json;
}

Config json_of(const std::vector<Curve>& curves) {
  Config json = Config::array();
  for (const Curve& curve : curves) json.push_back({{"name", curve.name}, {"points", json_of(curve.points)}});
  return json;
}

Config json_of(const Histogram& h) {
  return {{"least", h.least}, {"most", h.most}, {"sum", h.sum}, {"limits", h.limits}, {"counts", h.counts}};
}

/// NaN becomes null when it is written.
Config json_of(const MetricCurves& m) {
  return {{"metric", m.metric},
          {"splits", json_of(m.splits)},
          {"last_test", m.best.last_test},
          {"best_test", m.best.test},
          {"best_test_epoch", m.best.test_epoch},
          {"best_validation", m.best.validation},
          {"best_validation_epoch", m.best.validation_epoch},
          {"test_at_best_validation", m.best.test_at_validation}};
}

/// Of each row the steps at which it is not zero.
Config steps_of(const std::vector<std::vector<double>>& rows) {
  Config json = Config::array();
  for (const std::vector<double>& row : rows) {
    Config steps = Config::array();
    for (size_t t = 0; t < row.size(); ++t)
      if (row[t] != 0) steps.push_back(t);
    json.push_back(std::move(steps));
  }
  return json;
}

/// Spikes are lists of steps, counted from 0; real numbers have a value a step.
Config json_of(const Raster& raster) {
  Config layers = Config::array();
  for (const RasterLayer& layer : raster.layers) {
    layers.push_back({{"name", layer.name}, {"neurons", layer.neurons}, {"shown", layer.shown}});
    if (layer.spikes) {
      layers.back()["spikes"] = steps_of(layer.values);
    } else {
      layers.back()["values"] = layer.values;
    }
  }
  return {{"sample", raster.sample},
          {"label", raster.label},
          {"predicted", raster.predicted},
          {"layers", layers},
          {"membranes", raster.membranes}};
}

Config json_of(const RunPasses& p) {
  Config json = {{"sets", p.sets},
                 {"steps", p.steps},
                 {"weights", p.weights},
                 {"samples", p.samples},
                 {"available", p.available},
                 {"metric", p.metric},
                 {"value", p.value},
                 {"loss", p.loss},
                 {"seconds", p.seconds},
                 {"class_names", p.target.class_names},
                 {"confusion", p.confusion},
                 {"latency", json_of(p.latency)},
                 {"notes", p.notes},
                 {"layers", Config::array()},
                 {"rasters", Config::array()},
                 {"mistakes", Config::array()}};
  for (const LayerActivity& layer : p.layers)
    json["layers"].push_back({{"name", layer.name},
                              {"neurons", layer.neurons},
                              {"rate", layer.rate},
                              {"silent", layer.silent},
                              {"rates", json_of(layer.rates)}});
  for (const Raster& raster : p.rasters) json["rasters"].push_back(json_of(raster));
  for (const Mistake& m : p.mistakes) {
    Config samples = Config::array();
    for (const SamplePicture& picture : m.pictures) samples.push_back(picture.sample);
    json["mistakes"].push_back(
        {{"label", m.label}, {"predicted", m.predicted}, {"count", m.count}, {"samples", samples}});
  }
  if (p.neurobench) json["neurobench"] = to_json(*p.neurobench);
  return json;
}

}  // namespace

Config to_json(const RunData& run) {
  Config json = {{"path", run.path},
                 {"title", run.title},
                 {"network", run.network},
                 {"method", run.method},
                 {"data", run.data},
                 {"seed", run.seed},
                 {"steps", run.steps},
                 {"batch", run.batch},
                 {"parameters", run.parameters},
                 {"status", to_string(run.status)},
                 {"epochs", run.epochs_done},
                 {"epochs_planned", run.epochs_planned},
                 {"seconds", run.seconds},
                 {"step_milliseconds", run.step_milliseconds},
                 {"peak_memory_mib", run.peak_memory_mib},
                 {"updates", run.updates},
                 {"skipped", run.skipped},
                 {"first_metric", run.first_metric},
                 {"learning_rate", json_of(run.learning_rate.points)},
                 {"rates", json_of(run.rates)},
                 {"grad_norms", json_of(run.grad_norms)},
                 {"warnings", run.warnings},
                 {"missing", run.missing},
                 {"cost", run.cost},
                 {"environment", run.environment},
                 {"fingerprint", run.fingerprint},
                 {"weights_file", run.weights_file},
                 {"config", run.config},
                 {"command", run.command}};
  if (run.clipped >= 0) json["clipped"] = run.clipped;
  json["metrics"] = json["weights"] = Config::array();
  for (const MetricCurves& m : run.metrics) json["metrics"].push_back(json_of(m));
  for (const WeightValues& w : run.weights)
    json["weights"].push_back(
        {{"name", w.name}, {"count", w.count}, {"zeros", w.zeros}, {"values", json_of(w.values)}});
  if (run.passes) json["passes"] = json_of(*run.passes);
  return json;
}

}  // namespace spiketrain
