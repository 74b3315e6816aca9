#include "spiketrain/core/signal.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>

#include "spiketrain/base/check.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/reduce.h"
#include "spiketrain/ops/tssl_scan.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// carrier -> the values it stands for; the gradient passes as it is.
struct Unpack : torch::autograd::Function<Unpack> {
  static Tensor forward(AutogradContext*, const Tensor& /*edge*/, Tensor values) { return values; }
  static variable_list backward(AutogradContext*, variable_list g) { return {g[0], Tensor()}; }
};

/// Carriers of consecutive segments -> the carrier of all.
struct Join : torch::autograd::Function<Join> {
  static Tensor forward(AutogradContext* ctx, at::TensorList edges) {
    std::vector<int64_t> steps, shape = edges[0].sizes().vec();
    for (const Tensor& edge : edges) steps.push_back(edge.size(0));
    ctx->saved_data["steps"] = steps;
    shape[0] = std::accumulate(steps.begin(), steps.end(), int64_t{0});
    return carrier(shape, edges[0].options().requires_grad(false));
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    variable_list parts;
    int64_t t = 0;
    for (const int64_t n : ctx->saved_data["steps"].toIntVector()) {
      parts.push_back(g[0].slice(0, t, t + n));
      t += n;
    }
    return parts;
  }
};

}  // namespace

int64_t numel(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

Tensor carrier(at::IntArrayRef shape, const torch::TensorOptions& options) {
  const auto make = [](const torch::TensorOptions& of) {
    return torch::full({1}, std::numeric_limits<double>::quiet_NaN(), of);
  };
  // Nobody can write to a carrier (its elements overlap), so all of a type share one number.
  static const Tensor nan_float = make(torch::kFloat), nan_double = make(torch::kDouble);
  const auto type = options.dtype().toScalarType();
  const bool shared = options.device().is_cpu() && (type == torch::kFloat || type == torch::kDouble);
  const Tensor nan = !shared ? make(options) : type == torch::kFloat ? nan_float : nan_double;
  const std::vector<int64_t> strides(shape.size(), 0);
  Tensor result = torch::empty({0}, options);
  result.set_(nan.storage(), 0, shape, strides);  // no view: autograd may take it for a result of its own
  return result;
}

bool all_ones(const Tensor& gain) {
  if (!gain.is_cpu() || !gain.is_contiguous()) return false;
  return AT_DISPATCH_FLOATING_TYPES(gain.scalar_type(), "spread", [&] {
    const auto* values = gain.data_ptr<scalar_t>();
    return std::all_of(values, values + gain.numel(), [](scalar_t x) { return x == 1; });
  });
}

/// Values that are computed by whoever asks for them first.
struct Signal::Psp {
  std::once_flag once;
  Tensor values;
};

const Tensor& Signal::filtered() const {
  std::call_once(psp_->once, [&] {
    if (psp_->values.defined()) return;
    const torch::NoGradGuard no_grad;
    const Tensor s = spikes_.rows(0, steps() * batch(), edge_.scalar_type(), scale_);
    psp_->values = ops::psp_in_place(s.unflatten(0, {steps(), batch()}), tau_s_, before_);
  });
  return psp_->values;
}

Tensor spread(const Tensor& image, const Tensor& gain) {
  std::vector<int64_t> shape(static_cast<size_t>(image.dim()), 1), sizes = image.sizes().vec();
  shape[0] = sizes[0] = gain.size(0);
  if (image.requires_grad() && at::GradMode::is_enabled()) return image * gain.view(shape);
  // A constant image needs no memory for every step.
  if (all_ones(gain)) return image.detach().expand(sizes);
  return ops::spread_steps(image.detach(), gain);
}

Signal Signal::constant(Tensor image, Tensor gain) {
  ST_CHECK(image.defined() && image.dim() >= 2 && image.size(0) == 1 && gain.dim() == 1 &&
               gain.scalar_type() == image.scalar_type(),
           "constant signal: expected an image [1,B,*] and a gain [T] of its type");
  Signal x;
  x.edge_ = std::move(image);
  x.gain_ = std::move(gain);
  return x;
}

Signal Signal::dense(Tensor a) {
  ST_CHECK(a.defined() && a.dim() >= 2 && a.is_floating_point(),
           "dense signal: expected floating-point values [T,B,*]");
  Signal x;
  x.edge_ = std::move(a);
  return x;
}

Signal Signal::spikes(Spikes s, torch::ScalarType type) {
  const Tensor edge = carrier(s.sizes(), torch::TensorOptions(type).device(s.device()));
  return spikes(std::move(s), edge);
}

Signal Signal::spikes(Spikes s, Tensor edge, double scale) {
  ST_CHECK(s.defined() && edge.sizes() == s.sizes(), "spike signal: expected a carrier of shape ", s.sizes(),
           ", got ", edge.sizes());
  Signal x;
  x.edge_ = std::move(edge);
  x.spikes_ = std::move(s);
  x.scale_ = scale;
  return x;
}

Signal Signal::psp(Spikes s, Tensor edge, double tau_s, Tensor a, Tensor before, double scale) {
  ST_CHECK(tau_s >= 1 && (!a.defined() || a.sizes() == edge.sizes()),
           "PSP signal: expected tau_s >= 1 and values of shape ", edge.sizes());
  Signal x = spikes(std::move(s), std::move(edge), scale);
  x.tau_s_ = tau_s;
  x.psp_ = std::make_shared<Psp>();
  if (a.defined()) x.psp_->values = a.detach();
  if (before.defined()) x.before_ = before.detach();
  return x;
}

Signal Signal::times(SpikeTimes s) {
  s.check();
  Signal x;
  x.edge_ = std::move(s.time);  // the edge alone: a signal that is cut must not hold the graph
  x.times_ = std::move(s);
  return x;
}

SpikeTimes Signal::spike_times() const {
  ST_CHECK(
      has_times() || (is_spikes() && scale_ == 1),
      "signal: an event-driven layer reads spikes, got real numbers; use an encoder that sends spikes, such as "
      "latency or poisson");
  SpikeTimes s = has_times() ? times_ : SpikeTimes::from_steps(spikes_.bytes());
  if (has_times()) s.time = edge_;
  return s;
}

Tensor Signal::values() const {
  ST_CHECK(!has_times(),
           "signal: spike times have no values per step; put an event-driven readout after them");
  if (is_constant()) return spread(edge_, gain_);
  if (!has_spikes()) return edge_;
  const Tensor values =
      psp_ ? filtered()
           : spikes_.rows(0, steps() * batch(), edge_.scalar_type(), scale_).unflatten(0, {steps(), batch()});
  if (!edge_.requires_grad() || !at::GradMode::is_enabled()) return values;
  return Unpack::apply(edge_, values.alias());
}

Tensor Signal::rows(int64_t begin, int64_t end) const {
  ST_CHECK(!is_constant(),
           "signal: rows() of a constant signal; expected a dense one or spikes, see values()");
  ST_CHECK(!has_times(),
           "signal: spike times have no values per step; put an event-driven readout after them");
  if (is_spikes()) return spikes_.rows(begin, end, edge_.scalar_type(), scale_);
  Tensor rows = (has_spikes() ? filtered() : edge_).flatten(0, 1);
  if (begin != 0 || end != rows.size(0)) rows = rows.slice(0, begin, end);
  return rows.requires_grad() ? rows.detach() : rows;
}

Signal Signal::slice(int64_t begin, int64_t end) const {
  if (begin == 0 && end == steps()) return *this;
  ST_CHECK(!has_times(), "signal: spike times are of a whole sequence; use schedule whole");
  Signal x = *this;
  if (is_constant()) {
    x.gain_ = gain_.slice(0, begin, end);
    return x;
  }
  x.edge_ = edge_.slice(0, begin, end);
  if (has_spikes()) x.spikes_ = spikes_.slice(begin, end);
  if (psp_) {
    x.psp_ = std::make_shared<Psp>();
    x.psp_->values = filtered().slice(0, begin, end);
    if (begin > 0) x.before_ = filtered()[begin - 1];
  }
  return x;
}

Signal Signal::with_edge(Tensor edge) const {
  Signal x = *this;
  x.edge_ = std::move(edge);
  return x;
}

Signal Signal::detached() const { return with_edge(edge_.detach()); }

Signal Signal::concatenate(const std::vector<Signal>& parts) {
  ST_CHECK(!parts.empty(), "signals: nothing to join");
  if (parts.size() == 1) return parts[0];
  const Signal& first = parts[0];
  const bool alike = std::all_of(parts.begin(), parts.end(), [&](const Signal& part) {
    return part.has_spikes() && first.has_spikes() && part.tau_s_ == first.tau_s_ &&
           part.scale_ == first.scale_ && part.spikes_.levels() == first.spikes_.levels();
  });
  std::vector<Tensor> edges, bytes, known;
  for (const Signal& part : parts) {
    edges.push_back(alike ? part.edge_ : part.values());
    if (alike) bytes.push_back(part.spikes_.bytes());
    if (part.psp_ && part.psp_->values.defined()) known.push_back(part.psp_->values);
  }
  if (!alike) return dense(torch::cat(edges));
  const Spikes s = Spikes::from_bytes(torch::cat(bytes), -1, first.spikes_.levels());
  const Tensor edge = Join::apply(at::TensorList(edges));
  if (!first.psp_) return spikes(s, edge, first.scale_);
  const Tensor values = known.size() == parts.size() ? torch::cat(known) : Tensor();
  return psp(s, edge, first.tau_s_, values, first.before_, first.scale_);
}

}  // namespace spiketrain
