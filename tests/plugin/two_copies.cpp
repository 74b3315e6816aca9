// Loads each file that is named, privately, and then asks the last one for its data sets.  Prints what comes of it.
// Built twice: by itself, and with a copy of part of the library inside.
#include <dlfcn.h>

#include <iostream>

#include "spiketrain/data/source.h"

int main(int argc, char** argv) {
  void* file = nullptr;
  for (int i = 1; i < argc; ++i) {
    file = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    if (file == nullptr) {
      std::cout << dlerror() << '\n';
      return 1;
    }
  }
  using Ask = std::vector<spiketrain::DatasetInfo> (*)();
  const auto ask = reinterpret_cast<Ask>(dlsym(file, "_ZN10spiketrain13dataset_infosEv"));
  if (ask == nullptr) return 1;
  try {
    std::cout << ask().size() << " data sets\n";
    return 0;
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 2;
  }
}
