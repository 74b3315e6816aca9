// Level kernel: the two products of a synapse that meet spikes, from spikes as bits, beside LibTorch's convolution or matrix
// product in float32 and in bfloat16 of the same spikes as numbers, channels last.  The form that spikes come in is not timed on
// any side.
#include <algorithm>

#include "apps/spiketrain/bench_case.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/ops/event_limit.h"
#include "spiketrain/ops/layout.h"

namespace spiketrain::cli::bench {
namespace {

/// A synapse and what it is given; side 0: fully connected.
struct Product {
  const char* name;
  int64_t in, out, side, kernel, stride, pad, samples;
  bool full() const { return side == 0; }
};
constexpr Product kProducts[] = {{"conv 128->128 3x3 @16 n=128", 128, 128, 16, 3, 1, 1, 128},
                                 {"conv 256->256 3x3 @8 n=256", 256, 256, 8, 3, 1, 1, 256},
                                 {"conv 64->128 3x3 @32 n=128", 64, 128, 32, 3, 1, 1, 128},
                                 {"conv 32->32 3x3 @16 n=128", 32, 32, 16, 3, 1, 1, 128},
                                 {"conv 15->40 5x5 pad 0 @12 n=256", 15, 40, 12, 5, 1, 0, 256},
                                 {"conv 128->128 3x3 stride 2 @16 n=128", 128, 128, 16, 3, 2, 1, 128},
                                 {"linear 512->512 n=2560", 512, 512, 0, 0, 1, 0, 2560},
                                 {"linear 784->400 n=2560", 784, 400, 0, 0, 1, 0, 2560},
                                 {"linear 400->400 n=200", 400, 400, 0, 0, 1, 0, 200}};

/// Both forms' inputs.
struct ProductData {
  ops::Bits bits;
  Tensor x, W, W_last;  ///< x [n,...] as floats; W_last: channels last
  int64_t total = 0;
  ops::ConvKind kind;
};

ProductData draw_product(const Product& p, double density) {
  torch::manual_seed(1);
  ProductData data;
  std::vector<int64_t> sizes = {1, p.samples, p.in}, weights = {p.out, p.in};
  if (!p.full()) {
    sizes.insert(sizes.end(), {p.side, p.side});
    weights.insert(weights.end(), {p.kernel, p.kernel});
  }
  const Tensor spikes = draw_spikes(sizes, density);
  data.bits = ops::pack(spikes, 1, &data.total);
  const auto format = p.full() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
  data.x = spikes[0].to(torch::kFloat).contiguous(format);
  data.W = draw_weights(weights);
  data.W_last = data.W.contiguous(format);
  data.kind = {p.stride, p.pad, p.full()};
  return data;
}

/// Without AVX-512 LibTorch makes products of bfloat16 in plain loops: nothing to compare with.
bool has_bfloat16() {
  const std::vector<std::string> isas = supported_isas();
  return std::any_of(isas.begin(), isas.end(),
                     [](const std::string& isa) { return isa.compare(0, 4, "AVX3") == 0; });
}

/// A product in its forms.  `dense`: the one that training takes where spikes are too many.
struct ProductForms {
  ProductData data;
  std::function<Tensor()> ours, plain, mixed, dense;
};

Tensor plain_forward(const Product& p, const Tensor& x, const Tensor& W) {
  const torch::NoGradGuard no_grad;
  return p.full() ? x.mm(W.t()) : torch::conv2d(x, W, {}, p.stride, p.pad);
}

Tensor fast_forward(const ProductData& data) {
  const ops::WinogradKernels kernels = ops::winograd_forward(data.W, data.kind);
  const int64_t border = 2 - 2 * data.kind.pad;
  const Tensor y = ops::laid_empty(
      {data.x.size(0), data.W.size(0), data.x.size(2) - border, data.x.size(3) - border}, data.W.options(),
      /*last=*/true);
  ops::winograd(data.x, kernels, y);
  return y;
}

ProductForms forward_forms(const Product& p, double density) {
  const ProductData data = draw_product(p, density);
  ProductForms forms = {data, {}, {}, {}, {}};
  forms.ours = [data] { return ops::event_forward(data.bits, data.total, data.W, data.kind, 1); };
  forms.plain = forms.dense = [data, p] { return plain_forward(p, data.x, data.W_last); };
  if (ops::winograd_pays(data.W, data.kind)) forms.dense = [data] { return fast_forward(data); };
  const Tensor x = data.x.to(torch::kBFloat16), W = data.W_last.to(torch::kBFloat16);
  forms.mixed = [p, x, W] { return plain_forward(p, x, W); };
  return forms;
}

Tensor plain_gradient(const Product& p, const Tensor& g, const Tensor& x, const Tensor& W) {
  if (p.full()) return g.t().mm(x);
  return std::get<1>(at::convolution_backward(g, x, W, at::OptionalIntArrayRef(), {p.stride, p.stride},
                                              {p.pad, p.pad}, {1, 1}, false, {0, 0}, 1,
                                              {false, true, false}));
}

ProductForms gradient_forms(const Product& p, double density) {
  const ProductData data = draw_product(p, density);
  const int64_t side = p.full() ? 0 : (p.side + 2 * p.pad - p.kernel) / p.stride + 1;
  const Tensor g = p.full() ? torch::randn({1, p.samples, p.out})
                            : torch::randn({1, p.samples, side, side, p.out}).movedim(-1, -3);
  ProductForms forms = {data, {}, {}, {}, {}};
  forms.ours = [data, g] {
    return ops::event_gradient(data.bits, data.total, g, data.W.sizes(), data.kind, 1);
  };
  forms.plain = forms.dense = [data, g, p] { return plain_gradient(p, g[0], data.x, data.W_last); };
  const Tensor x = data.x.to(torch::kBFloat16), W = data.W_last.to(torch::kBFloat16),
               errors = g[0].to(torch::kBFloat16);
  forms.mixed = [=] { return plain_gradient(p, errors, x, W); };
  return forms;
}

struct Work {
  const char* name;
  ops::EventProduct product;
  ProductForms (*make)(const Product&, double density);
};
constexpr Work kWorks[] = {{"forward", ops::EventProduct::forward, forward_forms},
                           {"gradient", ops::EventProduct::gradient, gradient_forms}};

Form form_of(const std::string& name, const std::function<Tensor()>& run) {
  return {name, [run] { run(); }};
}

Contest product_contest(const Product& p, const Work& work, double density) {
  const ProductForms forms = work.make(p, density);
  const ProductData& data = forms.data;
  const Tensor ours = forms.ours(), plain = forms.plain();
  check_same(p.name, ours.view_as(plain), plain);
  Contest contest;
  contest.forms = {form_of("ours", forms.ours), form_of("plain", forms.plain)};
  if (has_bfloat16()) {
    // Weights, errors and results have eight bits.
    check_same(str(p.name, " in bfloat16"), ours.view_as(plain), forms.mixed().to(torch::kFloat), 1e-2);
    contest.forms.push_back(form_of("mixed", forms.mixed));
  }
  contest.density = static_cast<double>(data.total) / static_cast<double>(data.x.numel());
  contest.used = ops::event_pays(work.product, data.bits, data.total, data.W, data.kind);
  return contest;
}

double dense_over_events(const Product& p, const Work& work, double density, int64_t rounds) {
  const ProductForms forms = work.make(p, density);
  const Tensor ours = forms.ours(), dense = forms.dense();
  check_same(p.name, ours.view_as(dense), dense);
  const auto times = time_in_turns({form_of("ours", forms.ours), form_of("dense", forms.dense)}, rounds);
  return times[1].least / times[0].least;  // a busy machine spoils a median of a few
}

Balance balance_of(const Product& p, const Work& work) {
  const int64_t side = std::max<int64_t>(p.side, 1), kernel = std::max<int64_t>(p.kernel, 1);
  const cpu::EventConvShape shape = {p.samples, p.in, side, side, p.out, kernel, kernel, p.stride, p.pad};
  return {
      p.name, work.name, std::min(1.0, ops::event_limit(work.product, shape)),
      [&p, &work](double density, int64_t rounds) { return dense_over_events(p, work, density, rounds); }};
}

}  // namespace

std::vector<Case> kernel_cases(const std::vector<double>& densities) {
  const std::vector<double> own = {0.2, 0.1, 0.05, 0.02};
  std::vector<Case> cases;
  for (const Product& p : kProducts) {
    for (const double d : densities.empty() ? own : densities) {
      for (const Work& work : kWorks)
        cases.push_back(
            {"kernel", p.name, work.name, d, [&p, &work, d] { return product_contest(p, work, d); }});
    }
  }
  return cases;
}

std::vector<Balance> kernel_balances() {
  std::vector<Balance> all;
  for (const Product& p : kProducts) {
    for (const Work& work : kWorks) all.push_back(balance_of(p, work));
  }
  return all;
}

}  // namespace spiketrain::cli::bench
