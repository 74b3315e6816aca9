// Cases of the convolution of spikes: both forms of each product, kernels that overlap the map's borders, strides, full layers, odd
// numbers of channels, counts; silent maps and full ones.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/event_conv/event_conv.h"

namespace spiketrain::cpu {
namespace {

// Variants: density, and planes of bits.
struct Kind {
  const char* name;
  double density;
  int64_t planes;
};
const Kind kKinds[] = {{"10%", 0.1, 1},  {"2%", 0.02, 1}, {"half", 0.5, 1},
                       {"silent", 0, 1}, {"full", 1, 1},  {"counts", 0.2, 3}};

/// Sizes: images, C, H, W, O, kernel (0: as large as the map), stride, pad.
EventConvShape shape_of(const CaseSpec& spec) {
  const auto& n = spec.sizes;
  EventConvShape s;
  s.images = n[0];
  s.C = n[1];
  s.H = n[2];
  s.W = n[3];
  s.O = n[4];
  s.kernel_h = n[5] == 0 ? s.H : std::min({n[5], s.H, s.W});
  s.kernel_w = n[5] == 0 ? s.W : s.kernel_h;
  s.stride = n[6];
  s.pad = n[5] == 0 ? 0 : n[7];
  return s;
}

template <bool kGradient>
class EventConv final : public KernelCase {
 public:
  explicit EventConv(const CaseSpec& spec) : shape_(shape_of(spec)) {
    const EventConvShape& s = shape_;
    const Kind& kind = kKinds[spec.variant];
    const int64_t outputs = s.images * s.out_h() * s.out_w() * s.O, weights = s.O * s.C * s.taps();
    draw_spikes(spec, kind);
    Draw draw(spec);
    in_ = draw.values<float>(kGradient ? outputs : weights, -1, 1);
    // In any order the sums differ by what rounding does to as many terms: each of n additions of terms below 1 rounds a
    // partial sum of about sqrt(n), and n such errors come to about n.
    Tolerance sums;
    if (spec.numbers != Numbers::exact) {
      const int64_t terms = kGradient ? s.images * s.out_h() * s.out_w() : s.C * s.taps();
      sums = {0, 64, static_cast<double>(std::numeric_limits<float>::epsilon()) * static_cast<double>(terms)};
    }
    out_ = add<float>(kGradient ? "dW" : "y", kGradient ? weights : outputs, sums).template data<float>();
    items = static_cast<double>(s.images * s.out_h() * s.out_w()) * static_cast<double>(weights);
    bytes = static_cast<double>(outputs + weights) * sizeof(float) +
            static_cast<double>(s.images * s.sites()) / 8;
    const int64_t need = kGradient ? event_conv_gradient_workspace(s, kind.planes, kThreads)
                                   : event_conv_forward_workspace(s, kind.planes, kThreads);
    workspace_.resize(static_cast<size_t>(need) + 2 * kEdge, 0xA5);
  }
  void call(KernelCase::Code code) override {
    constexpr float kScale = 0.5F;
    if (code == KernelCase::Code::plain) {
      kGradient ? event_conv_gradient_ref(shape_, bits_, in_.data(), kScale, out_)
                : event_conv_forward_ref(shape_, bits_, in_.data(), kScale, out_);
      return;
    }
    auto* const space = workspace_.data() + kEdge - reinterpret_cast<uintptr_t>(workspace_.data()) % kEdge;
    kGradient ? event_conv_gradient(shape_, bits_, in_.data(), kScale, out_, space, kThreads)
              : event_conv_forward(shape_, bits_, in_.data(), kScale, out_, space, kThreads);
  }

 private:
  static constexpr int64_t kThreads = 2;
  static constexpr size_t kEdge = 64;

  void draw_spikes(const CaseSpec& spec, const Kind& kind) {
    const EventConvShape& s = shape_;
    bits_.planes = kind.planes;
    bits_.images_per_step = 3;
    bits_.image_bits = s.sites();
    bits_.step_bits = (3 * s.sites() + 63) / 64 * 64;
    const int64_t steps = (s.images + 2) / 3;
    bits_.plane_bits = steps * bits_.step_bits;
    words_.assign(static_cast<size_t>(kind.planes * bits_.plane_bits / 64 + 2), 0);
    Rng rng(spec.seed, Purpose::test, 1);
    for (int64_t p = 0; p < kind.planes; ++p) {
      for (int64_t n = 0; n < s.images; ++n) {
        for (int64_t i = 0; i < s.sites(); ++i) {
          const int64_t bit = bits_.begin(p, n) + i;
          if (rng.uniform() < kind.density) words_[static_cast<size_t>(bit / 64)] |= uint64_t{1} << bit % 64;
        }
      }
    }
    bits_.words = words_.data();
  }

  EventConvShape shape_;
  BitMaps bits_;
  std::vector<uint64_t> words_;
  std::vector<float> in_;
  std::vector<unsigned char> workspace_;
  float* out_;
};

template <bool kGradient>
KernelCases event_conv(const char* name) {
  KernelCases k;
  k.name = name;
  k.compared = "same bits where the sums are exact, 64 ulp of the largest and one of 1 per term otherwise";
  k.dims = {{"images", 0, 9}, {"C", 1, 70},     {"H", 1, 12},     {"W", 1, 12},
            {"O", 1, 70},     {"kernel", 0, 6}, {"stride", 1, 3}, {"pad", 0, 3}};
  for (const Kind& kind : kKinds) k.variants.emplace_back(kind.name);
  k.make = [](const CaseSpec& spec) -> std::unique_ptr<KernelCase> {
    return std::make_unique<EventConv<kGradient>>(spec);
  };
  const std::vector<KernelCases::Sizes> sizes = {
      {0, 4, 1, 1, 3, 0, 1, 0},     {0, 3, 4, 4, 5, 3, 1, 1},   {1, 1, 1, 1, 1, 3, 1, 1},
      {5, 3, 6, 5, 7, 3, 1, 1},     {4, 40, 5, 7, 33, 3, 1, 1}, {3, 65, 4, 4, 64, 3, 1, 1},
      {2, 31, 6, 6, 97, 3, 1, 0},   {2, 5, 4, 3, 16, 3, 1, 2},  {3, 15, 12, 12, 40, 5, 1, 0},
      {2, 7, 9, 6, 15, 5, 1, 2},    {2, 33, 8, 8, 17, 3, 2, 1}, {3, 6, 7, 9, 8, 2, 2, 0},
      {2, 9, 5, 5, 31, 1, 1, 0},    {2, 4, 11, 8, 5, 4, 3, 1},  {7, 64, 1, 1, 32, 0, 1, 0},
      {130, 70, 1, 1, 48, 0, 1, 0}, {3, 5, 4, 4, 30, 0, 1, 0},  {70, 300, 1, 1, 10, 0, 1, 0}};
  k.cross(0, std::size(kKinds), sizes);
  k.cases.erase(std::remove_if(k.cases.begin(), k.cases.end(), [](const CaseSpec& c) { return c.in_double; }),
                k.cases.end());
  k.wide = {40, 33, 12, 12, 70, 3, 1, 1};
  // 3x3 layers of a network for small images, the second layer of the MNIST network, a fully connected layer.
  k.time(0,
         {{128, 128, 16, 16, 128, 3, 1, 1}, {250, 15, 12, 12, 40, 5, 1, 0}, {2560, 512, 1, 1, 512, 0, 1, 0}});
  return k;
}

KernelCases declare_forward() { return event_conv<false>("event_conv_forward"); }
KernelCases declare_gradient() { return event_conv<true>("event_conv_gradient"); }

[[maybe_unused]] const bool forward_registered = register_cases(declare_forward);
[[maybe_unused]] const bool gradient_registered = register_cases(declare_gradient);

}  // namespace
}  // namespace spiketrain::cpu
