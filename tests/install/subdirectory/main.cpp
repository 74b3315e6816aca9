#include <iostream>

#include "spiketrain/spiketrain.h"

#if __has_include("apps/spiketrain/commands.h") || __has_include("tests/support/tiny.h")
#error "the root of Spiketrain's source tree is among the parent's include folders"
#endif

int main() {
  std::cout << spiketrain::version() << ": " << spiketrain::dataset_infos().size() << " data sets\n";
  return 0;
}
