#include "spiketrain/report/run_watch.h"

#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/train/tensorboard.h"

namespace spiketrain {
namespace {

constexpr int64_t kShown = 40;  ///< neurons of a layer in a raster

/// Zero where a step is padding.
Tensor masked(const Tensor& x, const Tensor& valid) {
  if (!valid.defined()) return x;
  Tensor wide = valid;
  while (wide.dim() < x.dim()) wide = wide.unsqueeze(-1);
  return x * wide.to(x.scalar_type());
}

/// Of `active` [N] some at equal distances, kShown at most; of all, if none is active or there are no more.
std::vector<int64_t> choose(const Tensor& active) {
  const int64_t N = active.numel();
  Tensor from = active.nonzero().flatten();
  if (from.numel() == 0 || N <= kShown) from = torch::arange(N);
  const int64_t n = std::min(kShown, from.numel());
  std::vector<int64_t> shown;
  for (int64_t i = 0; i < n; ++i) shown.push_back(from[i * from.numel() / n].item<int64_t>());
  return shown;
}

/// [T,B,*] -> rows `shown` of sample b by step.
std::vector<std::vector<double>> rows_of(const Tensor& x, int64_t b, const std::vector<int64_t>& shown) {
  const Tensor all = x.select(1, b).flatten(1).to(torch::kDouble).contiguous();  // [T,N]
  const int64_t T = all.size(0), N = all.size(1);
  const auto* value = all.data_ptr<double>();
  std::vector<std::vector<double>> rows;
  for (const int64_t n : shown) {
    rows.emplace_back();
    for (int64_t t = 0; t < T; ++t) rows.back().push_back(value[t * N + n]);
  }
  return rows;
}

/// Of all samples of the batch, with the same neurons.
std::vector<RasterLayer> raster_layers(const std::string& name, const std::vector<Tensor>& parts,
                                       bool spikes) {
  const Tensor x = torch::cat(parts).cpu();
  RasterLayer layer{name, x[0][0].numel(), {}, spikes, {}};
  layer.shown = choose((x != 0).flatten(2).any(0).any(0));
  std::vector<RasterLayer> of_samples;
  for (int64_t b = 0; b < x.size(1); ++b) {
    layer.values = rows_of(x, b, layer.shown);
    of_samples.push_back(layer);
  }
  return of_samples;
}

}  // namespace

std::string node_title(const Network::Node& node) {
  const std::string spec = node.stage->describe().front().spec;
  return spec.empty() ? node.name : node.name + " " + spec;
}

bool has_neurons(const Network::Node& node) {
  return std::dynamic_pointer_cast<const Layer>(node.stage) || node.stage->describe().front().slot >= 0;
}

size_t output_node(const Network& network) {
  size_t last = 0;
  for (size_t n = 0; n < network.nodes().size(); ++n)
    if (network.nodes()[n].head_of < 0) last = n;
  return last;
}

void PassWatch::saw(size_t node, const std::vector<Signal>& /*in*/, const Signal& out,
                    const Context& context) {
  if (node == output_node(network_) && !out.has_times()) output_.push_back(out.values());
  if (!out.has_spikes() || !has_neurons(network_.nodes()[node])) return;
  const Tensor spikes = masked(out.spikes().bytes(), context.valid);
  const Tensor sum =
      spikes.flatten(2).sum(at::IntArrayRef({0, 1}), /*keepdim=*/false, torch::kLong).to(torch::kDouble);
  Count& count = counts_[node];
  count.spikes = count.spikes.defined() ? count.spikes + sum : sum;
  count.steps += context.valid.defined() ? context.valid.sum().item<double>()
                                         : static_cast<double>(spikes.size(0) * spikes.size(1));
}

Tensor PassWatch::take_output() {
  const Tensor output = output_.empty() ? Tensor() : torch::cat(output_);
  output_.clear();
  return output;
}

std::vector<LayerActivity> PassWatch::layers() const {
  std::vector<LayerActivity> list;
  for (size_t n = 0; n < counts_.size(); ++n) {
    const Count& count = counts_[n];
    if (!count.spikes.defined() || count.steps == 0) continue;
    const Tensor rates = (count.spikes / count.steps).cpu();
    list.push_back({node_title(network_.nodes()[n]), rates.numel(), rates.mean().item<double>(),
                    (rates == 0).to(torch::kDouble).mean().item<double>(), histogram_of(rates, 20)});
  }
  return list;
}

RasterWatch::RasterWatch(const Network& network) : network_(network) {
  const auto readout = std::dynamic_pointer_cast<const Layer>(network.nodes()[output_node(network)].stage);
  if (readout) readout_slot_ = readout->slot();
}

void RasterWatch::saw(size_t index, const std::vector<Signal>& in, const Signal& out,
                      const Context& /*context*/) {
  const Network::Node& node = network_.nodes()[index];
  if (index == 0 && !in.front().has_times()) input_.push_back(in.front().values());
  if (!has_neurons(node) || out.has_times()) return;
  spikes_[index] = out.has_spikes();
  sent_[index].push_back(out.has_spikes() ? out.spikes().bytes() : out.values());
}

void RasterWatch::fired(int64_t slot, const Record& record, const Context& /*context*/) {
  if (slot == readout_slot_ && record.u.defined()) membranes_.push_back(record.u.clone());
}

std::vector<Raster> RasterWatch::rasters() const {
  std::vector<std::vector<RasterLayer>> layers;  // [layer][sample]
  if (!input_.empty()) {
    const bool binary = ((input_[0] == 0) | (input_[0] == 1)).all().item<bool>();
    layers.push_back(raster_layers("input", input_, binary));
  }
  for (const auto& [index, parts] : sent_)
    layers.push_back(raster_layers(node_title(network_.nodes()[index]), parts, spikes_.at(index)));
  const Tensor u = membranes_.empty() ? Tensor() : torch::cat(membranes_).cpu();
  std::vector<Raster> list(layers.empty() ? 0 : layers[0].size());
  for (size_t b = 0; b < list.size(); ++b) {
    for (const auto& layer : layers) list[b].layers.push_back(layer[b]);
    if (!u.defined()) continue;
    std::vector<int64_t> outputs(static_cast<size_t>(std::min(u[0][0].numel(), kShown)));
    for (size_t k = 0; k < outputs.size(); ++k) outputs[k] = static_cast<int64_t>(k);
    list[b].membranes = rows_of(u, static_cast<int64_t>(b), outputs);
  }
  return list;
}

}  // namespace spiketrain
