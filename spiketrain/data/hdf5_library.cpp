#include "spiketrain/data/hdf5_library.h"

namespace spiketrain {

std::mutex& hdf5_library() {
  static std::mutex mutex;
  return mutex;
}

void* take_hdf5_block(size_t size, void* blocks) {
  auto& all = *static_cast<Hdf5Blocks*>(blocks);
  void* memory = size > all.left ? nullptr : std::malloc(size);
  if (!memory) return nullptr;
  all.left -= size;
  all.taken[memory] = size;
  return memory;
}

void give_hdf5_block(void* memory, void* blocks) {
  if (static_cast<Hdf5Blocks*>(blocks)->taken.erase(memory) > 0) std::free(memory);
}

}  // namespace spiketrain
