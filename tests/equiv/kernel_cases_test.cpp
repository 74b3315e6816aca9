// Every declared case of every kernel against its plain loops, and for any number of threads; and that the
// comparison finds what is wrong.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/cases.h"

namespace spiketrain::cpu {
namespace {

class EveryKernel : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelCases& kernel() const {
    for (const KernelCases& k : kernel_cases()) {
      if (k.name == GetParam()) return k;
    }
    throw UsageError("no kernel is called " + GetParam());
  }
};

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const KernelCases& k : kernel_cases()) list.push_back(k.name);
  return list;
}

TEST_P(EveryKernel, EqualsPlainLoops) {
  ASSERT_FALSE(kernel().cases.empty());
  const CheckResult result = check(kernel());
  EXPECT_EQ(result.failed, 0) << result.first;
  EXPECT_EQ(result.compared, static_cast<int64_t>(kernel().cases.size()));
}

TEST_P(EveryKernel, ThreadsDoNotChangeBits) {
  const int before = omp_get_max_threads();
  for (size_t variant : {size_t{0}, kernel().variants.size() - 1}) {
    for (const bool in_double : {false, true}) {
      const CaseSpec spec = {kernel().wide, variant, Numbers::any, in_double, 3};
      const auto c = kernel().make(spec);
      omp_set_num_threads(1);
      c->run(KernelCase::Code::fast);
      Outputs want = c->outputs();
      for (Output& output : want) output.tolerance = {};
      for (const int threads : {2, 3, 4}) {
        omp_set_num_threads(threads);
        c->run(KernelCase::Code::fast);
        EXPECT_EQ(difference(c->outputs(), want), "") << kernel().describe(spec) << ", threads " << threads;
        EXPECT_EQ(compare(*c), "") << kernel().describe(spec) << ", threads " << threads;
      }
    }
  }
  omp_set_num_threads(before);
}

TEST_P(EveryKernel, SaysWhatItsCasesAre) {
  EXPECT_FALSE(kernel().compared.empty());
  for (const auto& list : {kernel().cases, kernel().timed}) {
    EXPECT_FALSE(list.empty());
    for (const CaseSpec& spec : list) {
      ASSERT_EQ(spec.sizes.size(), kernel().dims.size());
      ASSERT_LT(spec.variant, kernel().variants.size());
    }
  }
  const auto c = kernel().make(kernel().cases.back());
  EXPECT_GT(c->items, 0);
  EXPECT_GT(c->bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(KernelCases, EveryKernel, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

// Cases in which nothing fires would show nothing.
TEST(KernelCases, NeuronsFire) {
  for (const KernelCases& k : kernel_cases()) {
    if (k.name != "lif_forward" && k.name != "tssl_forward") continue;
    for (const Numbers numbers : {Numbers::exact, Numbers::any, Numbers::typical}) {
      const auto c = k.make({{30, 1000}, 0, numbers, false, 1});
      c->run(KernelCase::Code::fast);
      const double rate = c->output("spikes").at(0) / 30000;
      EXPECT_GT(rate, 0.05) << k.name;
      EXPECT_LT(rate, 0.8) << k.name;
    }
  }
}

TEST(KernelCases, SameSeedSameInputs) {
  for (const KernelCases& k : kernel_cases()) {
    const CaseSpec spec = {k.wide, 0, Numbers::any, false, 5};
    CaseSpec other = spec;
    other.seed = 6;
    const auto a = k.make(spec), b = k.make(spec), c = k.make(other);
    for (KernelCase* one : {a.get(), b.get(), c.get()}) one->run(KernelCase::Code::plain);
    EXPECT_EQ(difference(a->outputs(), b->outputs()), "") << k.name;
    EXPECT_NE(difference(a->outputs(), c->outputs()), "") << k.name;
  }
}

/// y = 3*x with a mistake.
template <class R>
class Faulty final : public KernelCase {
 public:
  enum class Mistake { none, one_ulp, last_element, past_the_end, before_the_start, not_a_number, unwritten };
  Faulty(Mistake mistake, const Tolerance& tolerance) : mistake_(mistake) {
    for (int i = 0; i < kSize; ++i) x_.push_back(static_cast<R>(i) + R(0.5));
    y_ = add<R>("y", kSize, tolerance).template data<R>();
  }
  void call(Code code) override {
    for (int i = 0; i < kSize; ++i) y_[i] = R(3) * x_[static_cast<size_t>(i)];
    if (code == Code::plain) return;
    switch (mistake_) {
      case Mistake::none:
        return;
      case Mistake::one_ulp:
        y_[3] = std::nextafter(y_[3], R(100));
        return;
      case Mistake::last_element:
        y_[kSize - 1] *= R(1.01);
        return;
      case Mistake::past_the_end:
        y_[kSize] = 0;
        return;
      case Mistake::before_the_start:
        y_[-1] = 0;
        return;
      case Mistake::not_a_number:
        y_[0] = std::numeric_limits<R>::quiet_NaN();
        return;
      case Mistake::unwritten:
        y_[5] = R(77);  // what an output holds before
        return;
    }
  }
  static constexpr int kSize = 17;

 private:
  Mistake mistake_;
  std::vector<R> x_;
  R* y_;
};

template <class R>
std::string found(typename Faulty<R>::Mistake mistake, const Tolerance& tolerance = {}) {
  Faulty<R> c(mistake, tolerance);
  return compare(c);
}

template <class R>
struct WrongKernel : ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(WrongKernel, Types);

TYPED_TEST(WrongKernel, IsFound) {
  using Mistake = typename Faulty<TypeParam>::Mistake;
  EXPECT_EQ(found<TypeParam>(Mistake::none), "");
  EXPECT_EQ(found<TypeParam>(Mistake::one_ulp).rfind("y[3]: 10.5", 0), 0U)
      << found<TypeParam>(Mistake::one_ulp);
  EXPECT_EQ(found<TypeParam>(Mistake::last_element).rfind("y[16]: ", 0), 0U);
  EXPECT_EQ(found<TypeParam>(Mistake::past_the_end), "y: written past its last element");
  EXPECT_EQ(found<TypeParam>(Mistake::before_the_start), "y: written before its first element");
  EXPECT_EQ(found<TypeParam>(Mistake::not_a_number).rfind("y[0]: ", 0), 0U);
  EXPECT_EQ(found<TypeParam>(Mistake::unwritten).rfind("y[5]: 77, plain loops 16.5", 0), 0U);
}

TYPED_TEST(WrongKernel, TolerancesAreNoWiderThanTheySay) {
  using Mistake = typename Faulty<TypeParam>::Mistake;
  Tolerance each, largest, absolute, but_one;
  each.each = 1, largest.largest = 1, absolute.absolute = 1;
  for (const Tolerance& t : {each, largest, absolute}) {
    EXPECT_EQ(found<TypeParam>(Mistake::one_ulp, t), "");
    EXPECT_NE(found<TypeParam>(Mistake::not_a_number, t), "");
    EXPECT_NE(found<TypeParam>(Mistake::unwritten, t), "");
    EXPECT_NE(found<TypeParam>(Mistake::past_the_end, t), "");
  }
  EXPECT_NE(found<TypeParam>(Mistake::last_element, each), "");
  EXPECT_NE(found<TypeParam>(Mistake::last_element, largest), "");
  EXPECT_EQ(found<TypeParam>(Mistake::last_element, absolute), "");
  but_one.each = 1;
  but_one.same_bits.assign(Faulty<TypeParam>::kSize, false);
  EXPECT_EQ(found<TypeParam>(Mistake::one_ulp, but_one), "");
  but_one.same_bits[3] = true;
  EXPECT_NE(found<TypeParam>(Mistake::one_ulp, but_one), "");
}

TEST(KernelCases, CheckCountsWhatFailsAndSaysWhere) {
  KernelCases k;
  k.name = "triple";
  k.dims = {{"n", 17, 17}};
  k.variants = {"right", "wrong"};
  k.make = [](const CaseSpec& spec) {
    using Mistake = Faulty<float>::Mistake;
    return std::make_unique<Faulty<float>>(spec.variant == 0 ? Mistake::none : Mistake::unwritten,
                                           Tolerance());
  };
  k.cross(0, 1, {{17}});
  EXPECT_EQ(check(k).failed, 0);
  EXPECT_EQ(check(k).first, "");
  k.cross(1, 2, {{17}});
  EXPECT_EQ(check(k).compared, 8);
  EXPECT_EQ(check(k).failed, 4);
  EXPECT_EQ(check(k).first, "triple: n 17, wrong, float, exact, seed 5: y[5]: 77, plain loops 16.5");
  EXPECT_EQ(k.label(k.cases.back()), "wrong/n:17");
}

}  // namespace
}  // namespace spiketrain::cpu
