// Any bytes choose a kernel, a variant, the kind of numbers, sizes, a seed and an instruction set; the kernel
// must agree with its plain loops.
#include <cstdio>
#include <cstdlib>

#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/isa.h"

namespace {

/// Numbers from the bytes; zeros after their end.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  /// From 0 to n-1.
  uint64_t below(uint64_t n) {
    uint64_t value = 0;
    for (int byte = 0; byte < 4; ++byte) {
      value = value << 8 | (size_ > 0 ? *data_ : 0);
      if (size_ > 0) ++data_, --size_;
    }
    return value % n;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spiketrain;
  static const std::vector<std::string> isas = supported_isas();
  const std::vector<cpu::KernelCases>& kernels = cpu::kernel_cases();
  Bytes bytes(data, size);
  use_isa(isas[bytes.below(isas.size())]);
  const cpu::KernelCases& kernel = kernels[bytes.below(kernels.size())];
  cpu::CaseSpec spec;
  spec.variant = bytes.below(kernel.variants.size());
  spec.numbers = static_cast<cpu::Numbers>(bytes.below(3));
  spec.in_double = bytes.below(2) != 0;
  spec.seed = bytes.below(1U << 31);
  for (const auto& dim : kernel.dims) {
    spec.sizes.push_back(dim.least +
                         static_cast<int64_t>(bytes.below(static_cast<uint64_t>(dim.most - dim.least + 1))));
  }
  const std::string found = compare(*kernel.make(spec));
  if (found.empty()) return 0;
  std::fprintf(stderr, "%s, %s: %s\n", active_isa().c_str(), kernel.describe(spec).c_str(), found.c_str());
  std::abort();
}
