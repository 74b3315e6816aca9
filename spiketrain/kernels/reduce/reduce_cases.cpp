// Cases of reduce: around the sixteen running sums and the chunk.  Squares of multiples of 1/64 add up
// without rounding, so exact inputs must give the same bits as any other order of summation.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/reduce/reduce.h"

namespace spiketrain::cpu {
namespace {

template <class R>
class SumSquares final : public KernelCase {
 public:
  explicit SumSquares(const CaseSpec& spec) : x_(Draw(spec).values<R>(spec.sizes[0], -2, 2)) {
    Tolerance t;
    if (spec.numbers != Numbers::exact) t.each = 450;  // 1e-13
    sum_ = add<double>("sum", 1, t).template data<double>();
    items = static_cast<double>(x_.size());
    bytes = items * sizeof(R);
  }
  void call(Code code) override {
    if (code == Code::fast) {
      *sum_ = sum_squares(x_.data(), static_cast<int64_t>(x_.size()));
      return;
    }
    long double sum = 0;
    for (const R x : x_) sum += static_cast<long double>(x) * static_cast<long double>(x);
    *sum_ = static_cast<double>(sum);
  }

 private:
  std::vector<R> x_;
  double* sum_;
};

[[maybe_unused]] const bool registered = register_cases([] {
  KernelCases k;
  k.name = "sum_squares";
  k.compared = "the sum: same bits if it is exact, 1e-13 of it otherwise";
  k.dims = {{"n", 0, 70000}};
  k.variants = {""};
  k.make = [](const CaseSpec& spec) { return make_case<SumSquares>(spec); };
  k.cross(0, 1, {{0}, {1}, {15}, {16}, {17}, {65535}, {65536}, {65537}, {300000}});
  k.wide = {1000003};
  k.time(0, {{210375}, {21156384}});  // the weights of the MNIST network and of the widest one
  return k;
});

}  // namespace
}  // namespace spiketrain::cpu
