#include "spiketrain/ops/surrogate.h"

#include "spiketrain/base/math.h"
#include "spiketrain/base/registry.h"

namespace spiketrain {
namespace {

using Curve = SurrogateCurve;
using Form = cpu::SurrogateShape;
constexpr double kSqrtPi = 1.77245385090551602730;

Curve make_curve(Form shape, double height, double rate) {
  Curve curve;
  curve.shape = shape;
  curve.height = height;
  curve.rate = rate;
  return curve;
}

struct Named {
  const char* name;
  double scale;  // default
  Curve (*curve)(double a, double threshold);
};

const Named kNamed[] = {
    {"sigmoid", 4, [](double a, double) { return make_curve(Form::logistic, a, a); }},
    {"atan", 2, [](double a, double) { return make_curve(Form::lorentz, a / 2, kPi / 2 * a); }},
    {"fast_sigmoid", 25, [](double a, double) { return make_curve(Form::inverse_square, 1, a); }},
    {"super_spike", 1, [](double a, double) { return make_curve(Form::inverse_square, a, 1); }},
    {"soft_sign", 2, [](double a, double) { return make_curve(Form::inverse_square, a / 2, a); }},
    {"nonzero_sign_log_abs", 1, [](double a, double) { return make_curve(Form::inverse, a, a); }},
    {"piecewise_quadratic", 1, [](double a, double) { return make_curve(Form::tent, a, a); }},
    {"triangle", 0.3, [](double a, double) { return make_curve(Form::tent, a, 1); }},
    {"rect", 1, [](double a, double) { return make_curve(Form::box, a, 2 * a); }},
    {"piecewise_exp", 1, [](double a, double) { return make_curve(Form::laplace, a / 2, a); }},
    {"erf", 2, [](double a, double) { return make_curve(Form::gauss, a / kSqrtPi, a); }},
    {"heavi_erfc", 100, [](double a, double) { return make_curve(Form::gauss, 2 / kSqrtPi, a); }},
    {"tanh", 100, [](double a, double) { return make_curve(Form::logistic, 4, 2 * a); }},
    {"circ", 100, [](double a, double) { return make_curve(Form::circle, 1, 1 / a); }},
    {"single_exponential", 0.5,
     [](double a, double threshold) {
       return make_curve(Form::laplace, 1 / (a * threshold), 1 / (a * threshold));
     }},
    {"slayer", 1,
     [](double a, double threshold) {
       return make_curve(Form::laplace, 0.05 / (100 * a * threshold), 1 / (100 * a * threshold));
     }},
    {"threshold_triangle", 0.3,
     [](double a, double threshold) { return make_curve(Form::tent, a / threshold, 1 / threshold); }},
    {"triangular", 1, [](double a, double) { return make_curve(Form::sign, a, 1); }},
    {"straight_through", 1, [](double, double) { return make_curve(Form::constant, 1, 1); }},
    {"heaviside", 1, [](double, double) { return make_curve(Form::step, 1, 0); }},
    {"leaky_spike", 0.1, [](double a, double) { return make_curve(Form::step, 1, a); }},
    {"spike_rate_escape", 25, [](double a, double) { return make_curve(Form::escape, a, 1); }},
    {"sparse_fast_sigmoid", 25, [](double a, double) { return make_curve(Form::beyond, 1, a); }},
    {"inverse_membrane", 1,
     [](double a, double threshold) { return make_curve(Form::reciprocal, a, threshold); }},
};

struct SpikeNode : torch::autograd::Function<SpikeNode> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& x, const SurrogateCurve& curve,
                        bool strict) {
    ctx->save_for_backward({x});
    ctx->saved_data["shape"] = static_cast<int64_t>(curve.shape);
    ctx->saved_data["height"] = curve.height;
    ctx->saved_data["rate"] = curve.rate;
    ctx->saved_data["gate"] = curve.gate;
    return (strict ? x > 0 : x >= 0).to(x.scalar_type());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    const SurrogateCurve curve{static_cast<Form>(ctx->saved_data["shape"].toInt()),
                               ctx->saved_data["height"].toDouble(), ctx->saved_data["rate"].toDouble(),
                               ctx->saved_data["gate"].toDouble()};
    return {g[0] * surrogate_derivative(curve, ctx->get_saved_variables()[0]), Tensor(), Tensor()};
  }
};

}  // namespace

std::vector<std::string> surrogate_names() {
  std::vector<std::string> names;
  for (const Named& named : kNamed) names.push_back(named.name);
  return names;
}

SurrogateCurve surrogate_curve(const std::string& name, double scale, double threshold) {
  ST_CHECK(scale >= 0, "surrogate_scale: expected a positive number, or 0 for the default, got ", scale);
  for (const Named& named : kNamed) {
    if (name == named.name) return named.curve(scale == 0 ? named.scale : scale, threshold);
  }
  throw UsageError(str("surrogate: expected one of ", join(surrogate_names()), ", got '", name, "'"));
}

bool surrogate_reads_threshold(const std::string& name) {
  return surrogate_curve(name, 0, 1).rate != surrogate_curve(name, 0, 2).rate;
}

namespace {

Tensor without_gate(const SurrogateCurve& curve, const Tensor& x) {
  const Tensor rx = x.abs() * curve.rate;
  switch (curve.shape) {
    case Form::logistic: {
      const Tensor e = torch::exp(-rx);
      return curve.height * (e / (1 + e).square());
    }
    case Form::laplace:
      return curve.height * torch::exp(-rx);
    case Form::escape:
      return curve.height * torch::exp((x - 1).abs() * -curve.rate);
    case Form::gauss:
      return curve.height * torch::exp(-rx.square());
    case Form::circle: {
      const Tensor q = 1 + rx.square();
      return curve.height / (q * q.sqrt());
    }
    case Form::inverse_square:
      return curve.height / (rx + 1).square();
    case Form::inverse:
      return curve.height / (rx + 1);
    case Form::beyond:
      return curve.height / (rx + 1).square() * (x > 1).to(x.scalar_type());
    case Form::reciprocal:
      return torch::where(x >= 0, curve.height / (x + curve.rate), torch::zeros_like(x));
    case Form::lorentz:
      return curve.height / (1 + rx.square());
    case Form::tent:
      return curve.height * torch::relu(1 - rx);
    case Form::box:
      return curve.height * (rx < 1).to(x.scalar_type());
    case Form::sign:
      return curve.height * (1 - 2 * (x >= 0).to(x.scalar_type()));
    case Form::step: {
      const Tensor above = (x > 0).to(x.scalar_type());
      return above * curve.height + (1 - above) * curve.rate;
    }
    case Form::constant:
      return torch::full_like(x, curve.height);
  }
  ST_ASSERT(false);
}

}  // namespace

Tensor surrogate_derivative(const SurrogateCurve& curve, const Tensor& x) {
  const Tensor psi = without_gate(curve, x);
  return curve.gated() ? psi.masked_fill(x.abs() >= curve.gate, 0) : psi;
}

Tensor spike(const Tensor& x, const SurrogateCurve& curve, bool strict) {
  return SpikeNode::apply(x, curve, strict);
}

}  // namespace spiketrain
