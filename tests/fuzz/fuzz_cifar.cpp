// Any bytes: parse_cifar10 appends whole records or throws DataError.
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/data/images/cifar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spiketrain::RawImages raw;
  try {
    spiketrain::parse_cifar10({data, size}, "fuzz", raw);
  } catch (const spiketrain::DataError&) {
  }
  if (raw.pixels.size() != raw.labels.size() * 3072) std::abort();
  return 0;
}
