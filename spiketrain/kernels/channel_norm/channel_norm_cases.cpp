// Cases of the standardisation per channel: numbers of channels around a vector and around where lines become rows, rows that
// leave a short line or block, and one slice of columns more.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/channel_norm/channel_norm.h"

namespace spiketrain::cpu {
namespace {

template <class R>
class Case : public KernelCase {
 protected:
  explicit Case(const CaseSpec& spec) : N_(spec.sizes[0]), C_(spec.sizes[1]), draw_(spec) {
    x_ = draw_.values<R>(N_ * C_, -1, 1);
    mean_ = draw_.values<R>(C_, -1, 1);
    items = static_cast<double>(N_ * C_);
    bytes = items * sizeof(R);
  }
  std::vector<R> each_channel() { return draw_.values<R>(C_, -1, 1); }
  /// A sum over the rows, each term at most `most`: what rounding in blocks of rows may do to it.
  double* sums(const char* name, double most) {
    Tolerance t;
    const double epsilon = std::is_same_v<R, float> ? 2e-6 : 1e-14;
    t.absolute = epsilon * most * static_cast<double>(N_);
    return add<double>(name, C_, t).template data<double>();
  }

  int64_t N_, C_;
  Draw draw_;
  std::vector<R> x_, mean_;
};

template <class R>
class Moments final : public Case<R> {
 public:
  explicit Moments(const CaseSpec& spec)
      : Case<R>(spec), work_(static_cast<size_t>(channel_work(this->N_, this->C_))) {
    mean_of_ = this->sums("mean", 1.0 / static_cast<double>(this->N_));
    squares_ = this->sums("squares", 1);
  }
  void call(KernelCase::Code code) override {
    code == KernelCase::Code::fast
        ? channel_moments(this->N_, this->C_, this->x_.data(), work_.data(), mean_of_, squares_)
        : channel_moments_ref(this->N_, this->C_, this->x_.data(), mean_of_, squares_);
  }

 private:
  std::vector<double> work_;
  double *mean_of_, *squares_;
};

template <class R>
class Products final : public Case<R> {
 public:
  explicit Products(const CaseSpec& spec)
      : Case<R>(spec), work_(static_cast<size_t>(channel_work(this->N_, this->C_))) {
    g_ = this->draw_.template values<R>(this->N_ * this->C_, -1, 1);
    sum_ = this->sums("sum", 1);
    product_ = this->sums("product", 2);
    this->bytes *= 2;
  }
  void call(KernelCase::Code code) override {
    const int64_t N = this->N_, C = this->C_;
    const R *g = g_.data(), *x = this->x_.data(), *mean = this->mean_.data();
    code == KernelCase::Code::fast ? channel_products(N, C, g, x, mean, work_.data(), sum_, product_)
                                   : channel_products_ref(N, C, g, x, mean, sum_, product_);
  }

 private:
  std::vector<R> g_;
  std::vector<double> work_;
  double *sum_, *product_;
};

/// In a new array, or over the numbers that are read (`in_place`).
template <class R>
class Standardise final : public Case<R> {
 public:
  explicit Standardise(const CaseSpec& spec)
      : Case<R>(spec), factor_(this->each_channel()), bias_(this->each_channel()) {
    const bool in_place = spec.variant == 1;
    Output& y =
        in_place ? this->template add<R>("y", this->x_) : this->template add<R>("y", this->N_ * this->C_);
    args_ = {this->N_,
             this->C_,
             in_place ? y.template data<R>() : this->x_.data(),
             this->mean_.data(),
             factor_.data(),
             bias_.data(),
             y.template data<R>()};
    this->bytes *= 2;
  }
  void call(KernelCase::Code code) override {
    code == KernelCase::Code::fast ? channel_standardise(args_) : channel_standardise_ref(args_);
  }

 private:
  std::vector<R> factor_, bias_;
  StandardiseArgs<R> args_;
};

template <class R>
class Adjoint final : public Case<R> {
 public:
  explicit Adjoint(const CaseSpec& spec)
      : Case<R>(spec),
        push_(this->each_channel()),
        factor_(this->each_channel()),
        pull_(this->each_channel()) {
    const bool in_place = spec.variant == 1;
    g_ = this->draw_.template values<R>(this->N_ * this->C_, -1, 1);
    Output& g_x =
        in_place ? this->template add<R>("g_x", g_) : this->template add<R>("g_x", this->N_ * this->C_);
    args_.N = this->N_;
    args_.C = this->C_;
    args_.g = in_place ? g_x.template data<R>() : g_.data();
    args_.x = this->x_.data();
    args_.push = push_.data();
    args_.factor = factor_.data();
    args_.mean = this->mean_.data();
    args_.pull = pull_.data();
    args_.g_x = g_x.template data<R>();
    this->bytes *= 3;
  }
  void call(KernelCase::Code code) override {
    code == KernelCase::Code::fast ? channel_adjoint(args_) : channel_adjoint_ref(args_);
  }

 private:
  std::vector<R> push_, factor_, pull_, g_;
  ChannelAdjointArgs<R> args_;
};

template <template <class> class Kind>
KernelCases declare_channels(const char* name, const char* compared, std::vector<std::string> variants) {
  KernelCases k;
  k.name = name;
  k.compared = compared;
  k.dims = {{"N", 1, 600}, {"C", 0, 300}};
  k.variants = std::move(variants);
  k.make = [](const CaseSpec& spec) { return make_case<Kind>(spec); };
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t C : {0, 1, 3, 15, 16, 17, 40, 64, 255, 256, 300}) {
    for (const int64_t N : {1, 2, 33, 517}) sizes.push_back({N, C});
  }
  sizes.push_back({40, 4097});
  sizes.push_back({70000, 2});
  k.cross(0, k.variants.size(), sizes);
  k.wide = {20000, 24};
  // Layers of the MNIST network, T = 5, batch 50, and one of 128 channels of 32 x 32, T = 4, batch 64.
  k.time(0, {{5 * 50 * 24 * 24, 15}, {5 * 50 * 8 * 8, 40}, {5 * 50, 300}, {4 * 64 * 32 * 32, 128}});
  return k;
}

constexpr const char* kSums = "sums: 2e-6 of the greatest they can be in float, 1e-14 in double";
[[maybe_unused]] const bool moments_registered =
    register_cases([] { return declare_channels<Moments>("channel_moments", kSums, {""}); });
[[maybe_unused]] const bool products_registered =
    register_cases([] { return declare_channels<Products>("channel_products", kSums, {""}); });
[[maybe_unused]] const bool standardise_registered = register_cases([] {
  return declare_channels<Standardise>("channel_standardise", "same bits", {"", "in_place"});
});
[[maybe_unused]] const bool adjoint_registered = register_cases([] {
  return declare_channels<Adjoint>("channel_adjoint", "same bits", {"", "in_place"});
});

}  // namespace
}  // namespace spiketrain::cpu
