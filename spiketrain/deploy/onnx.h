// A Model as an ONNX graph of one time step: (x, states) -> (y, states after it).  The caller loops.
//   inputs   x [batch, *input], and for each layer k what it carries, [batch, *layer]:
//              carried_k  what the membrane begins the step with; before the first step zero, or, bit-identical, the numbers of the
//                         file's metadata carried_k_first: one, one per channel, or one per neuron in C, H, W order
//              current_k  the filtered product (Layer::current_decay); zero
//              spikes_k   of a recurrent layer, of the step before; zero
//              output_k   the PSP that leaves the network; zero
//   outputs  y [batch, *output], and each state as NAME_next; with `spikes` also fired_k of each spiking layer
// Operators of opset 13, float32, IR version 8: Conv, Gemm, Flatten, AveragePool, Greater, GreaterOrEqual, Cast, Where, Mul, Add, Sub, Identity.
// Source: ONNX, onnx.proto and "Operator Schemas".  Without LibTorch.  Tests: deploy/onnx_test.cpp; tools/check_onnx.py with onnxruntime.
#pragma once
#include <string>

#include "spiketrain/deploy/model.h"

namespace spiketrain::deploy {

/// The bytes of an .onnx file.  `about`: one line on where the network comes from.  UsageError if a number is not finite.
std::string write_onnx(const Model& model, const std::string& about, bool spikes);

}  // namespace spiketrain::deploy
