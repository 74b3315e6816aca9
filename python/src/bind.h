// The module spiketrain._C: what the Python package spiketrain stands on.  Tensors cross as torch.Tensor, without a copy
// and in autograd.  Whatever takes time runs without the GIL; who calls Python takes it.
// Tests: python/tests.
#pragma once
#include <pybind11/functional.h>
#include <pybind11/stl.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <string>

#include "spiketrain/core/network.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/data/dataset.h"

namespace spiketrain::python {
namespace py = pybind11;

/// Options by recursion, not through text: integers stay integers.  UsageError for what no option can be.
Config to_config(const py::handle& object);
py::object to_python(const Config& config);

/// A network and the rules of its layers.
struct Trainable {
  std::shared_ptr<Network> network;
  Method method;
};

/// Neurons from a dict of options or from a Python factory of PythonNeuron, one for each call.
std::function<std::shared_ptr<Neuron>()> neuron_maker(py::object from);
/// From a dict of options or a PythonRule.
RuleP rule_from(const py::object& from);

void bind_errors(py::module_& m);
void bind_parts(py::module_& m);
void bind_network(py::module_& m);
void bind_losses(py::module_& m);
void bind_data(py::module_& m);
void bind_train(py::module_& m);
void bind_evaluate(py::module_& m);
void bind_exchange(py::module_& m);
void bind_in_place(py::module_& m);

}  // namespace spiketrain::python
