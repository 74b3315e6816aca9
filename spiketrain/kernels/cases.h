// Cases of the kernels, declared once and used four times:
//   tests         tests/equiv/kernel_cases_test.cpp: every case against the plain loops
//   fuzzing       tests/fuzz/fuzz_kernels.cpp: any variant, size and seed
//   user          `spiketrain check`: the same on the user's machine, at every instruction set
//   benchmarks    bench/kernels/cases_bench.cpp: the sizes worth timing
// A kernel's folder declares them in <kernel>_cases.cpp; CONTRIBUTING.md says how.  Case = inputs drawn from
// a seed, and the outputs, each between guard words.  The kernel and its plain loops run on the same inputs
// and must agree.
// Source of the idea: test_case of ggml (tests/test-backend-ops.cpp).  Deviation: the reference is plain
// loops, not another backend, and the bound is the same bits unless an output says otherwise.
// Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/kernels/current_map.h"
#include "spiketrain/kernels/windows.h"

namespace spiketrain::cpu {

/// What the inputs hold.  exact: multiples of 1/64, so that with constants that are powers of two the first
/// sums are exact on any machine; any: uniform; typical: the same, but currents that make about every seventh
/// neuron fire, for timing.
enum class Numbers { exact, any, typical };

/// One case of a kernel.
struct CaseSpec {
  std::vector<int64_t> sizes;  ///< [dim]
  size_t variant = 0;
  Numbers numbers = Numbers::exact;
  bool in_double = false;
  uint64_t seed = 1;
};

/// How far an element may be from that of the plain loops: the sum of these.  All zero: the same bits.
struct Tolerance {
  double each = 0;      ///< times epsilon times |element|
  double largest = 0;   ///< times epsilon times the greatest |element| of the array, or 1 if that is less
  double absolute = 0;  ///< as it is
  std::vector<bool> same_bits = {};  ///< [element] true: the same bits all the same; empty: no such elements
};

/// An array that a kernel writes, between guard words that must survive.
class Output {
 public:
  /// `before`: what the array holds when the kernel is called.
  template <class V>
  Output(std::string name, const std::vector<V>& before, Tolerance tolerance)
      : name(std::move(name)),
        tolerance(std::move(tolerance)),
        width_(sizeof(V)),
        epsilon_(std::is_floating_point_v<V> ? static_cast<double>(std::numeric_limits<V>::epsilon()) : 0) {
    store(before.data(), before.size());
  }
  template <class V>
  V* data() {
    return reinterpret_cast<V*>(bytes_.data() + kGuard);
  }
  int64_t size() const { return static_cast<int64_t>((bytes_.size() - 2 * kGuard) / width_); }
  double at(int64_t i) const;
  /// Greatest |element|, at least 1.
  double largest() const;
  /// Back to what it held before.
  void reset() { std::copy(before_.begin(), before_.end(), bytes_.begin()); }
  /// "" if it agrees with `want` within want.tolerance, guards included; otherwise the first difference in
  /// words.
  std::string difference(const Output& want) const;

  std::string name;
  Tolerance tolerance;

 private:
  static constexpr size_t kGuard = 64;  ///< bytes on either side
  void store(const void* elements, size_t count);
  size_t width_;
  double epsilon_;
  std::vector<unsigned char> bytes_, before_;
};
using Outputs = std::deque<Output>;

/// "" if all outputs agree; otherwise the first difference.
std::string difference(const Outputs& got, const Outputs& want);

/// Inputs, and the outputs of one call.
class KernelCase {
 public:
  enum class Code { fast, plain };

  virtual ~KernelCase() = default;
  /// Calls the kernel, or its plain loops.
  virtual void call(Code code) = 0;
  /// The same, on outputs as they were before the first call.
  void run(Code code);
  const Outputs& outputs() const { return outputs_; }
  /// Of this name.
  const Output& output(const std::string& name) const;

  double items = 0;  ///< what the benchmark divides its time by: neurons times steps, or elements
  double bytes = 0;  ///< of the arrays that one call reads and writes, each once

 protected:
  /// An output of n elements that the kernel must write.
  template <class V>
  Output& add(const char* name, int64_t n, Tolerance tolerance = {}) {
    return outputs_.emplace_back(name, std::vector<V>(static_cast<size_t>(n), V(77)), std::move(tolerance));
  }
  /// An output that is an input as well.
  template <class V>
  Output& add(const char* name, const std::vector<V>& before, Tolerance tolerance = {}) {
    return outputs_.emplace_back(name, before, std::move(tolerance));
  }

 private:
  Outputs outputs_;  ///< their places do not change
};

/// Runs both on the same inputs; "" or the first difference.
std::string compare(KernelCase& c);

/// A kernel with all its cases.
struct KernelCases {
  struct Dim {
    const char* name;
    int64_t least, most;  ///< of fuzzing
  };
  using Sizes = std::vector<int64_t>;

  std::string name;
  std::string compared;  ///< what must agree, and how closely, in a few words
  std::vector<Dim> dims;
  std::vector<std::string> variants;  ///< "": the kernel has only one
  std::function<std::unique_ptr<KernelCase>(const CaseSpec&)> make;
  std::vector<CaseSpec> cases;  ///< for tests
  std::vector<CaseSpec> timed;  ///< for benchmarks
  Sizes wide;                   ///< several chunks of work, for tests with several threads

  /// Adds to `cases`: variants [first, last) at each of these sizes, in both types, exact and any numbers.
  void cross(size_t first, size_t last, const std::vector<Sizes>& sizes);
  /// Adds to `timed`: a variant at each of these sizes, float, typical numbers.
  void time(size_t variant, const std::vector<Sizes>& sizes);
  /// "head/T:5/N:40000"
  std::string label(const CaseSpec& spec) const;
  /// "lif_adjoint: T 5, N 33, head, float, exact, seed 7"
  std::string describe(const CaseSpec& spec) const;
};

struct CheckResult {
  int64_t compared = 0, failed = 0;
  std::string first;  ///< what differed in the first case that failed
};
/// Compares every case, with the instruction set in use.
CheckResult check(const KernelCases& kernel);

/// At namespace scope: `declare` is called when the list is first asked for.
bool register_cases(KernelCases (*declare)());
/// All kernels, sorted by name.
const std::vector<KernelCases>& kernel_cases();

/// Draws the inputs of a case, one array after the other.
class Draw {
 public:
  explicit Draw(const CaseSpec& spec)
      : rng_(spec.seed, Purpose::test),
        exact_(spec.numbers == Numbers::exact),
        typical_(spec.numbers == Numbers::typical) {}
  /// n numbers from low to high.
  template <class R>
  std::vector<R> values(int64_t n, double low, double high) {
    std::vector<R> v(static_cast<size_t>(n));
    for (R& x : v) x = static_cast<R>(value(low, high));
    return v;
  }
  /// The same, for the current of a spiking neuron with a threshold of 1.
  template <class R>
  std::vector<R> currents(int64_t n, double low, double high) {
    std::vector<R> v(static_cast<size_t>(n));
    for (R& x : v) x = static_cast<R>(typical_ ? 0.2 + 0.6 * rng_.normal() : value(low, high));
    return v;
  }

 private:
  double value(double low, double high);
  Rng rng_;
  bool exact_, typical_;
};

/// Arrays of a map of currents (current_map.h), drawn.
template <class R>
struct DrawnMap {
  std::vector<R> mean, factor, bias;
  CurrentMap<R> map(Draw& draw, int64_t channels) {
    const auto row = [&](double low, double high) {
      std::vector<R> values = draw.values<R>(channels, low, high);
      for (int64_t c = 0; c < CurrentMap<R>::kMore; ++c) values.push_back(values[static_cast<size_t>(c)]);
      return values;
    };
    mean = row(-0.5, 0.5), factor = row(0.5, 1.5), bias = row(-0.5, 0.5);
    return {channels, mean.data(), factor.data(), bias.data()};
  }
};

/// Some maps of N neurons, pooled over windows that leave a rest.
Windows windows_of(int64_t N);

/// Case<float> or Case<double>, as the specification says.
template <template <class> class Case, class... A>
std::unique_ptr<KernelCase> make_case(const CaseSpec& spec, const A&... arguments) {
  if (spec.in_double) return std::make_unique<Case<double>>(spec, arguments...);
  return std::make_unique<Case<float>>(spec, arguments...);
}

}  // namespace spiketrain::cpu
