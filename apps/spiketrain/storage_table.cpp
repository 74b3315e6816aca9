#include "apps/spiketrain/storage_table.h"

#include <iostream>
#include <vector>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/file.h"
#include "spiketrain/core/weight_storage.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain::cli {

void take_choice(const std::string& run, Network& network) {
  const std::string path = run + "/ckpt/best.safetensors";
  if (!weight_storage(network).switched() || !file_exists(path)) return;
  const SafetensorsFile file = open_checkpoint(path);
  for (const auto& [name, tensor] : network_tensors(network)) {
    const TensorEntry* entry = is_quantizer_switch(name) ? file.find(name) : nullptr;
    if (entry) Tensor(tensor).copy_(to_tensor(*entry));
  }
}

void print_storage(const Network& network) {
  const WeightStorage storage = weight_storage(network);
  if (!storage.switched()) return;
  std::vector<std::vector<std::string>> rows = {
      {"stored bits", "layer", "numbers", "in full precision", "binary", "as it is"}};
  for (const StoredWeight& w : storage.weights) {
    rows.push_back({w.node, w.spec, thousands(w.numbers), thousands(w.float_bits()),
                    w.quantizer ? thousands(w.quantized_bits) : "-",
                    thousands(w.bits()) + (w.quantized() ? " binary" : "")});
  }
  const std::string others = thousands(kFloatBits * storage.others);
  rows.push_back({"others", "", thousands(storage.others), others, "-", others});
  rows.push_back({"total", "", "", thousands(storage.float_bits()), "",
                  thousands(storage.bits()) + " (" + percent(storage.share()) + ")"});
  std::cout << '\n';
  print_table(rows);
}

void print_unpacked(const Network& network) {
  int64_t binary = 0;
  for (const StoredWeight& w : weight_storage(network).weights) binary += w.quantized() ? 1 : 0;
  if (binary == 0) return;
  std::cout << binary << (binary == 1 ? " layer has" : " layers have")
            << " binary weights; each is stored here like any other weight, not as a bit\n";
}

}  // namespace spiketrain::cli
