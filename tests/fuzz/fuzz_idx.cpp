// Any bytes: parse_idx returns a readable array or throws DataError.
#include "spiketrain/base/check.h"
#include "spiketrain/data/images/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto array = spiketrain::parse_idx({data, size}, "fuzz");
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < array.values.size; ++i) sum = static_cast<uint8_t>(sum + array.values.data[i]);
  } catch (const spiketrain::DataError&) {
  }
  return 0;
}
