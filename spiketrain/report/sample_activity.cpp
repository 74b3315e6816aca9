#include "spiketrain/report/sample_activity.h"

#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/report/chart.h"
#include "spiketrain/report/plot.h"
#include "spiketrain/report/run_watch.h"
#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain {
namespace {

/// Keeps what enters the network, too.
class SampleWatch : public Recorder {
 public:
  explicit SampleWatch(const Network& network) {
    const auto& nodes = network.nodes();
    for (size_t n = nodes.size(); n-- > 0;) {
      if (!nodes[n].inputs.empty() && nodes[n].inputs[0].node == Network::kInput) first_ = n;
      if (const auto layer = std::dynamic_pointer_cast<const Layer>(nodes[n].stage)) ask(layer->slot(), kU);
    }
  }
  void saw(size_t node, const std::vector<Signal>& in, const Signal&, const Context&) override {
    if (node == first_) input_.push_back(in[0].values().detach().clone());
  }
  /// [T,B,*]; undefined if there is none.
  static Tensor joined(const std::vector<Tensor>& parts) {
    return parts.empty() ? Tensor() : torch::cat(parts);
  }
  Tensor input() const { return joined(input_); }

 private:
  size_t first_ = 0;
  std::vector<Tensor> input_;
};

/// Without the padding.
void shorten(Raster& raster, size_t steps) {
  const auto cut = [&](std::vector<std::vector<double>>& rows) {
    for (auto& row : rows) row.resize(std::min(row.size(), steps));
  };
  for (RasterLayer& layer : raster.layers) cut(layer.values);
  cut(raster.membranes);
}

}  // namespace

Batch samples_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                 const std::vector<int64_t>& wanted) {
  for (const int64_t sample : wanted)
    ST_CHECK(sample >= 0 && sample < data->size(), "sample ", sample, ": expected 0 to ", data->size() - 1);
  const SomeSamples chosen(data, wanted);
  LoaderOptions options;
  options.batch_size = chosen.size();
  options.shuffle = false;
  Loader loader(chosen, options);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  batch = batch.to(training.device);
  batch.epoch = kEvaluationEpoch;
  return batch;
}

std::vector<Raster> rasters_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                               const std::vector<int64_t>& wanted) {
  const bool classes = data->target().kind == Target::Kind::class_index;
  const Batch batch = samples_of(training, data, wanted);
  RasterWatch watch(training.network());
  const PassResult result = training.learner->infer(batch);
  std::vector<Raster> rasters = watch.rasters();
  for (size_t b = 0; b < rasters.size(); ++b) {
    Raster& raster = rasters[b];
    raster.sample = wanted[b];
    if (batch.lengths.defined())
      shorten(raster, static_cast<size_t>(batch.lengths[static_cast<int64_t>(b)].item<int64_t>()));
    if (!classes) continue;
    raster.label = data->class_of(wanted[b]);
    raster.predicted = result.prediction[static_cast<int64_t>(b)].argmax().item<int64_t>();
  }
  return rasters;
}

NamedTensors activity_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                         int64_t sample) {
  const Batch batch = samples_of(training, data, {sample});
  SampleWatch watch(training.network());
  const PassResult result = training.learner->infer(batch);
  NamedTensors all;
  const auto add = [&](const std::string& name, const Tensor& x) {  // [T,1,*]
    if (!x.defined()) return;
    const int64_t T = batch.lengths.defined() ? batch.lengths[0].item<int64_t>() : x.size(0);
    all.emplace_back(name, x.select(1, 0).slice(0, 0, T).contiguous().cpu());
  };
  add("input", watch.input());
  for (const Network::Node& node : training.network().nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer || watch.traces().count(layer->slot()) == 0) continue;
    const Recorder::Trace& trace = watch.traces().at(layer->slot());
    add(node.name + ".output", SampleWatch::joined(trace.output));
    add(node.name + ".membrane", SampleWatch::joined(trace.u));
  }
  // For a sequence [T,B,*out], else [B,*out].
  const Target::Kind kind = data->target().kind;
  const bool steps = kind == Target::Kind::sequence || kind == Target::Kind::spike_times;
  all.emplace_back("prediction", result.prediction.select(steps ? 1 : 0, 0).detach().cpu());
  return all;
}

std::string raster_svg(const Raster& raster, const std::string& title) {
  std::string svg = raster_chart(raster, title);
  ST_CHECK(!svg.empty(), "raster: the network has sent nothing to draw");
  const size_t inside = svg.find('>') + 1;
  svg.insert(inside, str("<style>", kPlotStyle, kChartStyle, "svg{background:var(--page)}</style>\n"));
  svg.insert(4, " xmlns=\"http://www.w3.org/2000/svg\"");
  return svg;
}

}  // namespace spiketrain
