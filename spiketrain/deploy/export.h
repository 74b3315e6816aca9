// A trained network for devices: what `spiketrain export c`, `eval --integer` and Python's Run.to_c() and Run.evaluate(integer=...) do.
// Tests: deploy/run_test.cpp, python/tests/test_export.py.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/deploy/c_export.h"
#include "spiketrain/deploy/deployment.h"

namespace spiketrain::deploy {

struct ExportOptions {
  std::string type = "f32";  ///< f32; q7, q15: whole numbers, weights of 8 or 16 bits
  std::string source;        ///< where the weights are from, one word or two for the comments
  int64_t samples = 2;       ///< test samples that model_test.c holds
  int64_t check = 100;       ///< test samples on which spikes are compared with the library's; 0: none
};

struct Exported {
  Files files;
  CFootprint footprint;
  std::vector<Agreement> layers;  ///< over the first `checked` test samples
  int64_t checked = 0;
};

/// UsageError for a type, a network or an objective that cannot be exported.
Exported export_c(const Training& training, const ExportOptions& options);
/// Makes the folder, and those in it.  SystemError if that cannot be done.
void write_files(const std::string& dir, const Files& files);

/// The same network in whole numbers.
struct IntegerEvaluation {
  Evaluation result;
  std::vector<Rounding> rounding;
};
/// `type`: q7 or q15.  UsageError for another, or for a network that cannot be exported.
IntegerEvaluation evaluate_integer(const Training& training, const Dataset& data, int64_t batch,
                                   const std::string& type);

}  // namespace spiketrain::deploy
