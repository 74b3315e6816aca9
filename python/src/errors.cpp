// The library's errors as Python exceptions of their own, each also what a Python user would catch.
#include "python/src/bind.h"

namespace spiketrain::python {
namespace {

PyObject* usage_error = nullptr;
PyObject* data_error = nullptr;
PyObject* numeric_error = nullptr;

PyObject* make_error(py::module_& m, const char* name, const char* doc, PyObject* base) {
  PyObject* error =
      PyErr_NewExceptionWithDoc((std::string("spiketrain.") + name).c_str(), doc, base, nullptr);
  m.attr(name) = py::handle(error);
  return error;
}

}  // namespace

void bind_errors(py::module_& m) {
  usage_error = make_error(m, "UsageError",
                           "The caller's mistake: a shape, an option, parts that do not fit each other.",
                           PyExc_ValueError);
  data_error = make_error(
      m, "DataError", "A bad file or record; `path` and `byte_offset` (0: the file as a whole) say where.",
      PyExc_OSError);
  numeric_error = make_error(m, "NumericError", "NaN or infinity in a loss, a gradient or a weight.",
                             PyExc_ArithmeticError);
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const UsageError& error) {
      PyErr_SetString(usage_error, error.what());
    } catch (const DataError& error) {
      py::object made = py::handle(data_error)(error.what());
      made.attr("path") = error.path;
      made.attr("byte_offset") = error.byte_offset;
      PyErr_SetObject(data_error, made.ptr());
    } catch (const NumericError& error) {
      PyErr_SetString(numeric_error, error.what());
    }
  });
}

}  // namespace spiketrain::python
