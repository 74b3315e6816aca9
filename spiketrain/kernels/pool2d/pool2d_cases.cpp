// Cases of pool2d: window sizes known and not known at compile time, tails that are ignored, no planes at
// all.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/pool2d/pool2d.h"

namespace spiketrain::cpu {
namespace {

template <class R, bool kBackward>
class Pool2d : public KernelCase {
 public:
  explicit Pool2d(const CaseSpec& spec)
      : shape_{spec.sizes[0], spec.sizes[1], spec.sizes[2], spec.sizes[3], 1.1, spec.variant == 0 ? 1 : 5} {
    const Pool2dShape& p = shape_;
    const int64_t n = p.M * p.H * p.W * p.C, pooled = p.M * (p.H / p.k) * (p.W / p.k) * p.C;
    in_ = Draw(spec).values<R>(kBackward ? pooled : n, -1, 1);
    out_ = add<R>(kBackward ? "g_x" : "y", kBackward ? n : pooled).template data<R>();
    items = static_cast<double>(n);
    bytes = static_cast<double>(n + pooled) * sizeof(R);
  }
  void call(KernelCase::Code code) override {
    const bool fast = code == KernelCase::Code::fast;
    if (kBackward) {
      fast ? pool2d_backward(shape_, in_.data(), out_) : pool2d_backward_ref(shape_, in_.data(), out_);
    } else {
      fast ? pool2d_forward(shape_, in_.data(), out_) : pool2d_forward_ref(shape_, in_.data(), out_);
    }
  }

 private:
  Pool2dShape shape_;
  std::vector<R> in_;
  R* out_;
};
template <class R>
using Forward = Pool2d<R, false>;
template <class R>
using Backward = Pool2d<R, true>;

template <template <class> class Case>
KernelCases pool2d(const char* name) {
  KernelCases k;
  k.name = name;
  k.compared = "same bits";
  k.dims = {{"M", 0, 20}, {"H", 0, 70}, {"W", 0, 70}, {"k", 1, 6}};
  k.variants = {"planes", "pixels"};
  k.make = [](const CaseSpec& spec) { return make_case<Case>(spec); };
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t window : {1, 2, 3, 4}) {
    for (const int64_t size : {1, 2, 5, 8, 17, 24, 33, 66}) {
      for (const int64_t M : {0, 1, 7}) {
        sizes.push_back({M, size, size + 1, window});
        sizes.push_back({M, size + 1, size, window});
      }
    }
  }
  k.cross(0, 2, sizes);
  k.wide = {600, 24, 24, 2};
  // First and second pooling layer of the MNIST network, T = 5, batch 50.
  k.time(0, {{5 * 50 * 15, 24, 24, 2}, {5 * 50 * 40, 8, 8, 2}});
  return k;
}

[[maybe_unused]] const bool forward_registered =
    register_cases([] { return pool2d<Forward>("pool2d_forward"); });
[[maybe_unused]] const bool backward_registered =
    register_cases([] { return pool2d<Backward>("pool2d_backward"); });

}  // namespace
}  // namespace spiketrain::cpu
