// Every kernel at the sizes that its cases call worth timing; what they stand beside is in the other files of
// this folder.  Reported: CPU time of all threads per neuron and step (or element), because it is not upset
// by other programs on the machine, and bytes per second of the kernel's own arrays, each read or written
// once.
#include <benchmark/benchmark.h>

#include "spiketrain/kernels/cases.h"

namespace spiketrain::bench {
namespace {

void run_case(benchmark::State& state, const cpu::KernelCases& kernel, const cpu::CaseSpec& spec) {
  const auto c = kernel.make(spec);
  for (auto _ : state) c->call(cpu::KernelCase::Code::fast);
  const double calls = static_cast<double>(state.iterations());
  state.counters["per_item"] =
      benchmark::Counter(calls * c->items, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes/s"] = benchmark::Counter(calls * c->bytes, benchmark::Counter::kIsRate);
}

[[maybe_unused]] const bool registered = [] {
  for (const cpu::KernelCases& kernel : cpu::kernel_cases()) {
    for (const cpu::CaseSpec& spec : kernel.timed) {
      benchmark::RegisterBenchmark(
          (kernel.name + "/" + kernel.label(spec)).c_str(),
          [&kernel, spec](benchmark::State& state) { run_case(state, kernel, spec); })
          ->MeasureProcessCPUTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace spiketrain::bench
