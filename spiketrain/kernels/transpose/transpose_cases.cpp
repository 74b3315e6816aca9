// Cases of transpose: around the sizes of its blocks, one row or column, no matrix at all.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/transpose/transpose.h"

namespace spiketrain::cpu {
namespace {

/// Variant 1: of bytes.
template <class R>
class Transpose final : public KernelCase {
 public:
  explicit Transpose(const CaseSpec& spec)
      : N_(spec.sizes[0]), rows_(spec.sizes[1]), columns_(spec.sizes[2]), bytes_(spec.variant == 1) {
    const int64_t n = N_ * rows_ * columns_;
    x_ = Draw(spec).values<R>(n, -1, 1);
    for (const R value : x_) x8_.push_back(static_cast<uint8_t>(127 * (value + 1)));
    if (bytes_) {
      y8_ = add<uint8_t>("y", n).template data<uint8_t>();
    } else {
      y_ = add<R>("y", n).template data<R>();
    }
    items = static_cast<double>(n);
    bytes = items * 2 * (bytes_ ? 1 : sizeof(R));
  }
  void call(Code code) override {
    const bool fast = code == Code::fast;
    if (bytes_) {
      fast ? transpose(N_, rows_, columns_, x8_.data(), y8_)
           : transpose_ref(N_, rows_, columns_, x8_.data(), y8_);
    } else {
      fast ? transpose(N_, rows_, columns_, x_.data(), y_)
           : transpose_ref(N_, rows_, columns_, x_.data(), y_);
    }
  }

 private:
  int64_t N_, rows_, columns_;
  bool bytes_;
  std::vector<R> x_;
  std::vector<uint8_t> x8_;
  R* y_ = nullptr;
  uint8_t* y8_ = nullptr;
};

[[maybe_unused]] const bool registered = register_cases([] {
  KernelCases k;
  k.name = "transpose";
  k.compared = "same bits";
  k.dims = {{"N", 0, 20}, {"rows", 1, 70}, {"columns", 1, 150}};
  k.variants = {"numbers", "bytes"};
  k.make = [](const CaseSpec& spec) { return make_case<Transpose>(spec); };
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t rows : {1, 3, 15, 16, 17, 33}) {
    for (const int64_t columns : {1, 5, 63, 64, 65, 130}) {
      for (const int64_t N : {0, 1, 7}) sizes.push_back({N, rows, columns});
    }
  }
  k.cross(0, 2, sizes);
  k.wide = {50, 15, 576};
  // Maps of the MNIST network's first layer, of a layer with many.
  k.time(0, {{50, 15, 576}, {64, 128, 256}});
  return k;
});

}  // namespace
}  // namespace spiketrain::cpu
