// TSSL-BP through Learner, whole and in windows, against its equations written out step by step in float64.
#include "tests/support/engine.h"

namespace spiketrain::tssl_test {

constexpr int64_t kSteps = 10, kBatch = 4, kIn = 5, kClasses = 3;
constexpr double kTauM = 5, kTauS = 3, kWidth = 0.2;

/// One layer in the steps seen so far; every entry [B,n].
struct Trail {
  std::vector<Tensor> u, s, a, before;  ///< before: m[t-1]
  Tensor m, psp;
  Tensor step(const Tensor& I) {
    if (!m.defined()) m = psp = torch::zeros_like(I);
    before.push_back(m);
    u.push_back(m + (I - m / kTauM));
    s.push_back((u.back() > 1).to(torch::kDouble));
    m = u.back() * (1 - s.back());
    a.push_back(psp = psp + (s.back() - psp) / kTauS);
    return a.back();
  }
};

/// g at steps [t0, t1) from delta there; see parts/rules/tssl_bp.cpp.
std::vector<Tensor> credit(const std::string& variant, const Trail& l, const std::vector<Tensor>& delta,
                           int64_t t0, int64_t t1) {
  std::vector<Tensor> g(delta.size());
  double fired = 0, places = 0;
  for (auto t = static_cast<size_t>(t0); t < static_cast<size_t>(t1); ++t) {
    fired += l.s[t].sum().item<double>();
    places += static_cast<double>(l.s[t].numel());
  }
  const bool warm_up = variant == "surrogate" || fired <= 0.1 * places;
  Tensor A = torch::zeros_like(delta[static_cast<size_t>(t0)]), theta = A;
  for (auto t = static_cast<size_t>(t1); t-- > static_cast<size_t>(t0);) {
    const Tensor f = ((1 - l.u[t]) / kWidth).clamp(-8, 8).exp(), psi = f / (kWidth * (1 + f) * (1 + f));
    A = delta[t] / kTauS + (1 - 1 / kTauS) * A;
    const double clip = variant == "dec2020" ? 8 : 10;
    const Tensor r = l.s[t] * (1 / (l.u[t] - l.before[t])).clamp(0, clip);
    if (variant == "dec2020") {
      theta = torch::where(l.s[t] > 0, r * (A + l.u[t] / kTauM * theta), (1 - 1 / kTauM) * theta);
      g[t] = torch::where(l.a[t] < 1 / (4 * kTauS), A * psi, theta);
    } else {
      g[t] = warm_up ? A * psi : r * A;
    }
  }
  return g;
}

/// Desired PSP of the label's output: 0,1,0,1,.. filtered twice.
std::vector<double> desired() {
  std::vector<double> list;
  double once = 0, twice = 0;
  for (int64_t t = 0; t < kSteps; ++t) {
    once += (static_cast<double>(t % 2) - once) / kTauS;
    list.push_back(twice += (once - twice) / kTauS);
  }
  return list;
}

std::vector<Tensor> reference(const std::string& variant, const std::vector<Tensor>& W, const Batch& batch,
                              int64_t K, double& loss) {
  Trail hidden, output;
  const auto wanted = desired();
  const Tensor is_label = torch::one_hot(batch.target.y, kClasses).to(torch::kDouble);
  std::vector<Tensor> delta(kSteps), below(kSteps);
  loss = 0;
  for (size_t t = 0; t < static_cast<size_t>(kSteps); ++t) {
    const Tensor a =
        output.step(hidden.step(step_of(batch, static_cast<int64_t>(t)).mm(W[0].t())).mm(W[1].t()));
    delta[t] = a - wanted[t] * is_label;
    loss += delta[t].square().sum().item<double>() / 2;
  }
  std::vector<Tensor> g_W = {torch::zeros_like(W[0]), torch::zeros_like(W[1])};
  for (int64_t t0 = 0; t0 < kSteps; t0 += K) {
    const int64_t t1 = std::min(kSteps, t0 + K);
    const auto g1 = credit(variant, output, delta, t0, t1);
    for (auto t = static_cast<size_t>(t0); t < static_cast<size_t>(t1); ++t) below[t] = g1[t].mm(W[1]);
    const auto g0 = credit(variant, hidden, below, t0, t1);
    for (auto t = static_cast<size_t>(t0); t < static_cast<size_t>(t1); ++t) {
      g_W[1] = g_W[1] + g1[t].t().mm(hidden.a[t]);
      g_W[0] = g_W[0] + g0[t].t().mm(step_of(batch, static_cast<int64_t>(t)));
    }
  }
  return g_W;
}

TEST(EngineTssl, EqualsItsEquations) {
  for (const char* variant : {"dec2020", "jun2020", "surrogate"}) {
    for (const int64_t K : {1, 3, 5, 10}) {
      for (const bool image : {false, true}) {
        SCOPED_TRACE(str(variant, " ", K, image ? " image" : ""));
        const auto net = std::make_shared<Network>(Shape{kIn});
        for (const int64_t n : {int64_t{8}, kClasses}) {
          net->add(dense_layer(n, make<Neuron>("psp_lif", {{"tau_m", kTauM}, {"tau_s", kTauS}})), true);
        }
        draw_weights(*net);
        {
          torch::NoGradGuard no_grad;
          for (Tensor p : net->parameters()) p.mul_(1.5);  // PSPs are below 1
        }
        Batch batch = frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses));
        if (image) batch = image_batch(kBatch, kIn, batch.target);
        LearnerParts parts = learner_parts(net, kSteps, "van_rossum");
        parts.method = {make<Rule>("tssl_bp", {{"variant", variant}})};
        parts.schedule = make<Schedule>("truncated", {{"window", K}});
        std::vector<Tensor> W;
        for (const Tensor& p : net->parameters()) W.push_back(p.detach().clone());
        double loss = 0;
        const auto want = reference(variant, W, batch, K, loss);
        EXPECT_NEAR(Learner(parts).pass(batch, 0).loss.item<double>(), loss, 1e-12 * loss);
        expect_gradients(*net, want);
      }
    }
  }
}

}  // namespace spiketrain::tssl_test
