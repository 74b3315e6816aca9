// Any bytes: parse_safetensors returns readable tensors or throws DataError.
#include "spiketrain/base/check.h"
#include "spiketrain/base/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = spiketrain::parse_safetensors({data, size}, "fuzz");
    volatile uint8_t sum = 0;
    for (const auto& entry : file.entries()) {
      for (size_t i = 0; i < entry.bytes; ++i) sum = static_cast<uint8_t>(sum + entry.data[i]);
    }
  } catch (const spiketrain::DataError&) {
  }
  return 0;
}
