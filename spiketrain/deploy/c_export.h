// A Program as C99 for microcontrollers: model.h, model.c, model_test.c with recorded samples, Makefile, README.md, and for a test in an emulator
// of a Cortex-M3 arm/startup.c and arm/layout.ld.
//   Float  spikes and outputs equal Machine<Float> bit for bit where the compiler makes no fused multiply-adds (-ffp-contract=off)
//   Fixed  all numbers equal Machine<Fixed>
// Without LibTorch.  Tests: deploy/c_test.cpp.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/deploy/machine.h"

namespace spiketrain::deploy {

/// What is predicted from the outputs of all steps.
enum class Prediction {
  greatest_sum,      ///< a class: the output whose sum over the steps is the greatest
  greatest_maximum,  ///< a class: the output with the greatest value
  mean,              ///< values: the mean over the steps
  steps              ///< each step's outputs by themselves
};
/// How a prediction is read.
struct Reading {
  Prediction prediction = Prediction::greatest_sum;
  int64_t first = 0;  ///< first step that is read
  bool decides() const {
    return prediction == Prediction::greatest_sum || prediction == Prediction::greatest_maximum;
  }
  /// Whether reading takes a counter of steps.
  bool counts_steps() const { return decides() && (first > 0 || prediction == Prediction::greatest_maximum); }
};

/// One sample as the machine ran it.
template <class Math>
struct Recorded {
  using Value = typename Math::Value;
  int64_t steps = 0;
  bool still = false;                                     ///< one frame, shown at every step
  std::vector<Value> x;                                   ///< [steps or 1, inputs] in C, H, W order
  std::vector<std::vector<std::vector<int32_t>>> spikes;  ///< [step][layer]
  std::vector<Value> y;                                   ///< [steps, outputs] in H, W, C order
  std::vector<int64_t> additions;                         ///< [layer] over all steps
  int decision = 0;                                       ///< where there are classes
};

/// Runs `sample`, of which x, steps and still are given.
template <class Math>
void record(Machine<Math>& machine, const Reading& reading, Recorded<Math>& sample);

template <class Math>
struct CExport {
  const Program<Math>* program = nullptr;
  Reading reading;
  std::string about;                    ///< one line: what was exported
  std::string scaling;                  ///< one line: what the values of the input are
  std::vector<Recorded<Math>> samples;  ///< for model_test.c, at least one
};

/// Bytes and additions, for the README.
struct CFootprint {
  int64_t weight_bytes = 0, coefficient_bytes = 0, ram_bytes = 0;
  double additions = 0;        ///< weights added per step, mean over the recorded samples
  int64_t most_additions = 0;  ///< if everything were active at every step
  int64_t updates = 0;         ///< neurons updated per step
};
template <class Math>
CFootprint footprint(const CExport<Math>& from);

using Files = std::vector<std::pair<std::string, std::string>>;  ///< name and text
template <class Math>
Files write_c(const CExport<Math>& from);

// Its parts.
template <class Math>
std::string c_header(const CExport<Math>& from);
template <class Math>
std::string c_model(const CExport<Math>& from);
template <class Math>
std::string c_test(const CExport<Math>& from);
template <class Math>
std::string c_readme(const CExport<Math>& from);
Files c_build_files();

/// CRC-32 (IEEE 802.3) of sites as 32-bit little-endian numbers.
uint32_t site_crc(const std::vector<int32_t>& sites);

// Words for the files.
template <class Math>
struct CTypes;
template <>
struct CTypes<Float> {
  static std::string weight(int) { return "float"; }
  static constexpr const char* kValue = "float";
  static constexpr const char* kReal = "float";  ///< of a real input
  static constexpr const char* kEvidence = "float";
};
template <>
struct CTypes<Fixed> {
  static std::string weight(int bits) { return bits == 8 ? "int8_t" : "int16_t"; }
  static constexpr const char* kValue = "int32_t";
  static constexpr const char* kReal = "int16_t";
  static constexpr const char* kEvidence = "int64_t";
};
/// Type of a site: the smallest that holds every place of a layer.
template <class Math>
std::string c_site(const Program<Math>& program);
/// What is predicted, in words.
std::string c_prediction(const Reading& reading);
/// Text that may hold what ends a comment.
std::string c_comment(std::string text);
std::string c_number(float x);
std::string c_number(int32_t x);
std::string c_number(int16_t x);
/// { a, b, ... } in lines of at most 100 characters.
template <class T>
std::string c_array(const T* x, size_t n);

}  // namespace spiketrain::deploy
