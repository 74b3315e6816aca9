// Any bytes: parse_cifar10 appends the labels of whole records or throws DataError.
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/data/images/cifar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spiketrain::Bytes labels;
  try {
    spiketrain::parse_cifar10({data, size}, "fuzz", 0, labels);
    if (labels.size() * 3073 != size) std::abort();
  } catch (const spiketrain::DataError&) {
    if (!labels.empty()) std::abort();
  }
  return 0;
}
