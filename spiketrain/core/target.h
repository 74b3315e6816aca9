// Target = what the output should be, and Batch = what a data set hands over.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain {
using torch::Tensor;

struct Target {
  enum class Kind {
    class_index,  ///< y [B] int64
    values,       ///< y [B,*out] float: one vector per sample
    sequence,     ///< y [T,B,*out] float: one vector per step
    spike_times  ///< y [B,*out,n] float: steps of the wanted spikes, in any order; negative entries stand for none
  };
  Kind kind = Kind::class_index;
  Tensor y;
  Tensor teacher = {};  ///< outputs of a teacher [B,*out], undefined: none

  Target to(torch::Device device) const {
    return {kind, y.to(device), teacher.defined() ? teacher.to(device) : Tensor()};
  }
};

/// "class_index", "values", "sequence" or "spike_times".
const char* to_string(Target::Kind kind);

struct Batch {
  enum class Form {
    image,  ///< x [B,*] float, shown at every step
    frames  ///< x [T,B,*] uint8 or float: the steps themselves
  };
  Tensor x;
  Form form = Form::image;
  Target target;
  Tensor lengths =
      {};  ///< [B] int64 on the CPU, 1 to T: steps of each sample, the rest is padding; undefined: T
  Tensor ids =
      {};  ///< [B] int64 on the CPU: what the samples are called, for random streams; undefined: 0..B-1
  int64_t epoch = 0;  ///< for random streams of encoders
  double share = 1;   ///< that these are of the samples of the batch, whose others other processes have
  int64_t size() const { return x.size(form == Form::image ? 0 : 1); }
  /// Data and target on another device; lengths and ids stay on the CPU.
  Batch to(torch::Device device) const {
    Batch moved = *this;
    moved.x = x.to(device);
    moved.target = target.to(device);
    return moved;
  }
};

}  // namespace spiketrain
