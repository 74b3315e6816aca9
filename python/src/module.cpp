#include "python/src/bind.h"

PYBIND11_MODULE(_C, m) {
  namespace py = pybind11;
  // Torch's types must be there before a tensor crosses.
  py::module_::import("torch");
  m.doc() = "What the package spiketrain stands on; not an interface of its own.";
  spiketrain::python::bind_errors(m);
  spiketrain::python::bind_parts(m);
  spiketrain::python::bind_network(m);
  spiketrain::python::bind_losses(m);
  spiketrain::python::bind_data(m);
  spiketrain::python::bind_train(m);
  spiketrain::python::bind_evaluate(m);
  spiketrain::python::bind_exchange(m);
  spiketrain::python::bind_in_place(m);
}
