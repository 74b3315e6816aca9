#include "python/src/bind.h"

namespace spiketrain::python {

Config to_config(const py::handle& object) {
  if (object.is_none()) return nullptr;
  if (py::isinstance<py::bool_>(object)) return object.cast<bool>();
  if (py::isinstance<py::int_>(object)) return object.cast<int64_t>();
  if (py::isinstance<py::float_>(object)) return object.cast<double>();
  if (py::isinstance<py::str>(object)) return object.cast<std::string>();
  if (py::isinstance<py::dict>(object)) {
    Config config = Config::object();
    for (const auto& item : py::reinterpret_borrow<py::dict>(object))
      config[py::str(item.first).cast<std::string>()] = to_config(item.second);
    return config;
  }
  if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object)) {
    Config config = Config::array();
    for (const auto& item : py::reinterpret_borrow<py::sequence>(object)) config.push_back(to_config(item));
    return config;
  }
  if (py::hasattr(object, "item")) return to_config(object.attr("item")());  // a number of numpy or torch
  throw UsageError("options: expected bool, int, float, str, list, tuple, dict or None, found " +
                   py::str(py::type::of(object)).cast<std::string>());
}

py::object to_python(const Config& config) {
  switch (config.type()) {
    case Config::value_t::boolean:
      return py::bool_(config.get<bool>());
    case Config::value_t::number_integer:
    case Config::value_t::number_unsigned:
      return py::int_(config.get<int64_t>());
    case Config::value_t::number_float:
      return py::float_(config.get<double>());
    case Config::value_t::string:
      return py::str(config.get<std::string>());
    case Config::value_t::array: {
      py::list list;
      for (const Config& item : config) list.append(to_python(item));
      return list;
    }
    case Config::value_t::object: {
      py::dict dict;
      for (const auto& item : config.items()) dict[py::str(item.key())] = to_python(item.value());
      return dict;
    }
    default:
      return py::none();
  }
}

}  // namespace spiketrain::python
