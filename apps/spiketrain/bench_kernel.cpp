// Level kernel: the two products of a synapse that meet spikes, from spikes as bits, beside LibTorch's convolution or matrix
// product in float32 of the same spikes as floats, channels last.  The form that spikes come in is not timed on either side.
#include "apps/spiketrain/bench_case.h"
#include "spiketrain/ops/event_conv.h"

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

Contest contest_of(const ProductData& data, ops::EventProduct product, const std::string& name,
                   const std::function<Tensor()>& ours, const std::function<Tensor()>& plain) {
  const Tensor a = ours(), b = plain();
  check_same(name, a.view_as(b), b);
  Contest contest;
  contest.forms = {{"ours", [ours] { ours(); }}, {"plain", [plain] { plain(); }}};
  contest.density = static_cast<double>(data.total) / static_cast<double>(data.x.numel());
  contest.used = ops::event_pays(product, data.bits, data.total, data.W, data.kind);
  return contest;
}

Contest forward_contest(const Product& p, double density) {
  const ProductData data = draw_product(p, density);
  const auto ours = [data] { return ops::event_forward(data.bits, data.total, data.W, data.kind, 1); };
  const auto plain = [data, p] {
    const torch::NoGradGuard no_grad;
    return p.full() ? data.x.mm(data.W.t()) : torch::conv2d(data.x, data.W_last, {}, p.stride, p.pad);
  };
  return contest_of(data, ops::EventProduct::forward, p.name, ours, plain);
}

Tensor plain_gradient(const Product& p, const ProductData& data, const Tensor& g) {
  if (p.full()) return g.t().mm(data.x);
  return std::get<1>(at::convolution_backward(g, data.x, data.W_last, at::OptionalIntArrayRef(),
                                              {p.stride, p.stride}, {p.pad, p.pad}, {1, 1}, false, {0, 0}, 1,
                                              {false, true, false}));
}

Contest gradient_contest(const Product& p, double density) {
  const ProductData data = draw_product(p, density);
  const int64_t side = p.full() ? 0 : (p.side + 2 * p.pad - p.kernel) / p.stride + 1;
  const Tensor g = p.full() ? torch::randn({1, p.samples, p.out})
                            : torch::randn({1, p.samples, side, side, p.out}).movedim(-1, -3);
  const auto ours = [data, g] {
    return ops::event_gradient(data.bits, data.total, g, data.W.sizes(), data.kind, 1);
  };
  const auto plain = [data, g, p] { return plain_gradient(p, data, g[0]); };
  return contest_of(data, ops::EventProduct::gradient, p.name, ours, plain);
}

}  // namespace

std::vector<Case> kernel_cases(const std::vector<double>& densities) {
  const std::vector<double> own = {0.2, 0.1, 0.05, 0.02};
  std::vector<Case> cases;
  for (const Product& p : kProducts) {
    for (const double d : densities.empty() ? own : densities) {
      cases.push_back({"kernel", p.name, "forward", d, [&p, d] { return forward_contest(p, d); }});
      cases.push_back({"kernel", p.name, "gradient", d, [&p, d] { return gradient_contest(p, d); }});
    }
  }
  return cases;
}

}  // namespace spiketrain::cli::bench
