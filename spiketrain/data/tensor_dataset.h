// A data set of tensors in memory, for users of the library:
//   auto data = tensor_dataset(images, {Target::Kind::class_index, labels});
// Tests: unit/tensor_dataset_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/data/dataset.h"

namespace spiketrain {

struct TensorDatasetOptions {
  std::string name = "tensors";  ///< begins describe()
  Batch::Form form = Batch::Form::image;
  int64_t classes = 0;  ///< class_index: how many there are; 0: one more than the greatest
  std::vector<std::string> class_names = {};  ///< class_index: what they are called; empty: by their numbers
  Tensor lengths = {};  ///< [N] int64, 1 to T: steps of each sample; needs frames or a sequence; undefined: T
  Tensor ids = {};      ///< [N] int64, see Dataset::id(); undefined: 0 to N-1
};

/// x: images [N,*] float32, or frames [N,T,*] uint8 or float32.  Of a target the samples come first, unlike
/// in a batch: classes [N] int64, values [N,*out], sequences [N,T,*out], spike times [N,*out,n], and teacher
/// [N,*out], all float32 but the classes.  Tensors are taken to the CPU and not copied if they are there and
/// contiguous: do not change them.  UsageError: numbers of samples that differ, other types, classes or
/// lengths out of range, frames and sequences of different length.
std::unique_ptr<Dataset> tensor_dataset(const Tensor& x, const Target& target,
                                        TensorDatasetOptions options = {});

}  // namespace spiketrain
