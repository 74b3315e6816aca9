#pragma once
// What the library uses of LibTorch: tensors, autograd and modules.  <torch/torch.h> also holds the
// ready-made layers, data loaders and serialisation of the C++ front end, which cost every file 5 seconds of
// compiling.
#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>
