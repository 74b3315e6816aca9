// Entry point of every benchmark: all cores, big blocks kept, and a line that says what the numbers stand
// for.
#include <benchmark/benchmark.h>

#include <iostream>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/train/runtime.h"

int main(int argc, char** argv) {
  const char* wanted = std::getenv("ST_THREADS");
  const int threads = spiketrain::prepare_process(argv, wanted ? std::atoi(wanted) : 0);
  std::cerr << "threads " << threads << ", SIMD " << spiketrain::active_isa() << '\n';
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
