// Cases of combine_rows: the sums of a neuron with two states and a filtered output, as rules with a trace of each synapse ask for
// them; with an input of each row, or one for all features.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/combine_rows/combine_rows.h"

namespace spiketrain::cpu {
namespace {

template <class R>
class CombineRows final : public KernelCase {
 public:
  explicit CombineRows(const CaseSpec& spec) : N_(spec.sizes[0] * spec.sizes[1]), K_(spec.sizes[2]) {
    const int64_t n = N_ * K_, rows = spec.variant == 0 ? N_ : spec.sizes[1];
    Draw draw(spec);
    for (std::vector<R>& trace : traces_) trace = draw.values<R>(n, -1, 1);
    input_ = draw.values<R>(rows * K_, 0, 1);
    for (std::vector<R>& factor : factors_) factor = draw.values<R>(N_, -1, 1);
    const auto term = [](const std::vector<R>& in, int64_t rows, const std::vector<R>& factor) {
      return RowTerm<R>{in.data(), std::max<int64_t>(1, rows), factor.data(), 0};
    };
    sums_.resize(3);
    for (size_t r = 0; r < 3; ++r) {
      sums_[r].out = add<R>(r == 0 ? "first" : r == 1 ? "second" : "output", n).template data<R>();
      for (size_t l = 0; l < 2; ++l) sums_[r].terms.push_back(term(traces_[l], N_, factors_[3 * r + l]));
      sums_[r].terms.push_back(term(input_, rows, factors_[3 * r + 2]));
    }
    sums_[1].terms.erase(sums_[1].terms.begin());
    sums_[2].terms.push_back({traces_[2].data(), std::max<int64_t>(1, N_), nullptr, R(0.75)});
    if (spec.variant == 2) {  // more terms than a row of code has
      for (size_t l = 0; l < 3; ++l) sums_[1].terms.push_back(term(traces_[l], N_, factors_[l]));
    }
    items = static_cast<double>(n);
    bytes = static_cast<double>(6 * n + rows * K_ + 9 * N_) * sizeof(R);
  }
  void call(KernelCase::Code code) override {
    code == KernelCase::Code::fast ? combine_rows(N_, K_, sums_) : combine_rows_ref(N_, K_, sums_);
  }

 private:
  int64_t N_, K_;
  std::vector<R> traces_[3], input_, factors_[9];
  std::vector<RowSum<R>> sums_;
};

KernelCases declare() {
  KernelCases k;
  k.name = "combine_rows";
  k.compared = "same bits";
  k.dims = {{"F", 0, 12}, {"B", 0, 12}, {"K", 0, 70}};
  k.variants = {"own_input", "shared_input", "many_terms"};
  k.make = [](const CaseSpec& spec) { return make_case<CombineRows>(spec); };
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t K : {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 65}) {
    for (const int64_t F : {0, 1, 5}) {
      for (const int64_t B : {0, 1, 7}) sizes.push_back({F, B, K});
    }
  }
  k.cross(0, 3, sizes);
  k.wide = {64, 50, 64};
  // The recurrent layer of the delayed-memory task, batch 50: from the input, and from itself.
  k.time(1, {{64, 50, 25}, {64, 50, 64}, {400, 50, 400}});
  return k;
}

[[maybe_unused]] const bool registered = register_cases(declare);

}  // namespace
}  // namespace spiketrain::cpu
