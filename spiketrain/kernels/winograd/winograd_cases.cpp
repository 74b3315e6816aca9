// Cases of Winograd's convolution: every padding, maps that are no multiple of a tile, odd numbers of channels.
#include <cmath>

#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/winograd/plan.h"

namespace spiketrain::cpu {
namespace {

/// Variants: weights as the way forward reads them, and turned and the other way round, as errors do; the same with factors in
/// bfloat16, where the machine has it.
const char* const kKinds[] = {"forward", "back", "forward,bf16", "back,bf16"};

class Winograd final : public KernelCase {
 public:
  explicit Winograd(const CaseSpec& spec) {
    const auto& n = spec.sizes;
    const bool back = spec.variant % 2 == 1, halves = spec.variant >= 2;
    shape_ = {n[0], n[1], n[2], n[3], n[4], n[5], halves && winograd_has_bf16()};
    // A map that the kernel does not fit in has no outputs.
    shape_.H = std::max(shape_.H, 3 - 2 * shape_.pad);
    shape_.W = std::max(shape_.W, 3 - 2 * shape_.pad);
    const WinogradShape& s = shape_;
    Draw draw(spec);
    x_ = draw.values<float>(s.images * s.H * s.W * s.in, -1, 1);
    K_ = draw.values<float>(s.in * s.out * 9, -1, 1);
    if (halves && spec.numbers == Numbers::exact) {  // so that sums and quarters fit eight bits
      for (float& x : x_) x = std::round(x * 16) / 16;
      for (float& k : K_) k = std::round(k * 4) / 4;
    }
    kernels_ = {K_.data(), back ? s.out * 9 : 9, back ? 9 : s.in * 9, back};
    // Terms below 1: what rounding does to sums of as many.
    Tolerance sums;
    if (spec.numbers != Numbers::exact)
      sums.absolute =
          4 * static_cast<double>(std::numeric_limits<float>::epsilon()) * static_cast<double>(9 * s.in + 16);
    // Many roundings of factors, each of a part in 512 of a product up to 9.
    if (halves && spec.numbers != Numbers::exact)
      sums.absolute = 0.2 + 0.1 * std::sqrt(static_cast<double>(s.in));
    y_ = add<float>("y", s.images * s.out_h() * s.out_w() * s.out, sums).data<float>();
    items = static_cast<double>(s.images * s.out_h() * s.out_w()) * static_cast<double>(9 * s.in * s.out);
    bytes = static_cast<double>(x_.size() + K_.size()) * sizeof(float) +
            static_cast<double>(s.images * s.out_h() * s.out_w() * s.out) * sizeof(float);
    packed_.resize(static_cast<size_t>(winograd_kernel_floats(s)));
    workspace_.resize(static_cast<size_t>(winograd_workspace(s, kThreads)) + 2 * kEdge, 0xA5);
  }
  void call(KernelCase::Code code) override {
    if (code == KernelCase::Code::plain) return winograd_ref(shape_, x_.data(), kernels_, y_);
    auto* const space = workspace_.data() + kEdge - reinterpret_cast<uintptr_t>(workspace_.data()) % kEdge;
    winograd_kernels(shape_, kernels_, packed_.data(), kThreads);
    winograd(shape_, x_.data(), packed_.data(), y_, space, kThreads);
  }

 private:
  static constexpr int64_t kThreads = 2;
  static constexpr size_t kEdge = 64;
  WinogradShape shape_;
  std::vector<float> x_, K_, packed_;
  Kernels3x3 kernels_;
  std::vector<unsigned char> workspace_;
  float* y_;
};

KernelCases declare() {
  KernelCases k;
  k.name = "winograd";
  k.compared =
      "same bits where sums are exact, four ulp of 1 per term otherwise; bf16: 0.2 + 0.1 sqrt(inputs)";
  k.dims = {{"images", 0, 5}, {"H", 1, 12}, {"W", 1, 12}, {"in", 1, 70}, {"out", 1, 70}, {"pad", 0, 2}};
  for (const char* kind : kKinds) k.variants.emplace_back(kind);
  k.make = [](const CaseSpec& spec) -> std::unique_ptr<KernelCase> {
    return std::make_unique<Winograd>(spec);
  };
  k.cross(0, std::size(kKinds),
          {{0, 4, 4, 3, 3, 1},
           {1, 1, 1, 1, 1, 1},
           {1, 3, 3, 1, 1, 0},
           {2, 4, 4, 5, 7, 1},
           {3, 5, 7, 16, 15, 1},
           {2, 6, 5, 17, 33, 2},
           {2, 7, 9, 31, 64, 0},
           {1, 8, 8, 64, 65, 1},
           {4, 3, 11, 48, 49, 2},
           {1, 10, 10, 130, 140, 1}});
  k.cases.erase(std::remove_if(k.cases.begin(), k.cases.end(), [](const CaseSpec& c) { return c.in_double; }),
                k.cases.end());
  k.wide = {9, 17, 16, 40, 33, 1};
  for (const size_t variant : {1, 3})
    k.time(variant, {{64, 16, 16, 128, 128, 1}, {64, 32, 32, 128, 64, 1}, {128, 8, 8, 256, 256, 1}});
  return k;
}

[[maybe_unused]] const bool registered = register_cases(declare);

}  // namespace
}  // namespace spiketrain::cpu
