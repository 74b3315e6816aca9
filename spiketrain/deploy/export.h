// A trained network for devices: what `spiketrain export c`, `export rtl`, `eval --integer` and Python's Run.to_c() and Run.evaluate(integer=...) do.
// Tests: deploy/run_test.cpp, python/tests/test_export.py.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/deploy/c_export.h"
#include "spiketrain/deploy/deployment.h"
#include "spiketrain/deploy/rtl_export.h"

namespace spiketrain::deploy {

struct ExportOptions {
  std::string type = "f32";  ///< f32; q7, q15: integers, weights of 8 or 16 bits
  std::string source;        ///< where the weights are from, one word or two for the comments
  int64_t samples = 2;       ///< test samples that model_test.c holds
  int64_t check = 100;  ///< test samples on which the program is compared with the library's network; 0: none
};

struct Exported {
  Files files;
  CFootprint footprint;
  std::string input;     ///< what the values of the input are
  bool decides = false;  ///< whether there are classes
  Comparison check;
};

/// InternalError unless a program of float32 does what the network does but for rounding: a few spikes may differ where a membrane is within
/// rounding of the threshold, and what follows from them.
void check_rounding(const Comparison& c);
/// UsageError for a type, a network or an objective that cannot be exported.  InternalError of check_rounding() if a program of type f32 differs from the
/// network by more than rounding.
Exported export_c(const Training& training, const ExportOptions& options);

struct ExportedRtl {
  Files files;
  RtlFootprint footprint;
  std::vector<std::string> layers;  ///< notation
  std::vector<RtlLayerBits> bits;   ///< [layer]
  std::string input;                ///< what the values of the input are
  bool decides = false;             ///< whether there are classes
  Comparison check;
};
/// SystemVerilog, type q7 or q15.  UsageError for another, for a network or an objective that cannot be exported, and of rtl_bits().
ExportedRtl export_rtl(const Training& training, const ExportOptions& options);
/// Makes the folder, and those in it.  SystemError if that cannot be done.
void write_files(const std::string& dir, const Files& files);

/// The same network in integer arithmetic.
struct IntegerEvaluation {
  Evaluation result;
  std::vector<Rounding> rounding;
  int input_bits = 0, input_exponent = 0;  ///< an input x stands for x 2^-input_exponent
  std::string input;                       ///< the same in words
};
/// `type`: q7 or q15.  UsageError for another, or for a network that cannot be exported.
IntegerEvaluation evaluate_integer(const Training& training, const Dataset& data, int64_t batch,
                                   const std::string& type);

}  // namespace spiketrain::deploy
