// The registries: what there is, with options, and options with their defaults filled in.
#include "python/src/bind.h"
#include "spiketrain/base/plugin.h"
#include "spiketrain/data/source.h"
#include "spiketrain/recipe/part_kinds.h"

namespace spiketrain::python {
namespace {

py::dict option(const OptionDoc& doc) {
  py::dict d;
  d["name"] = doc.name;
  d["type"] = doc.type;
  d["help"] = doc.help;
  d["allowed"] = doc.allowed;
  d["default"] = to_python(doc.default_value);
  return d;
}

py::list kinds() {
  py::list list;
  for (const PartKind& kind : part_kinds()) {
    py::list parts;
    for (const PartDoc& part : kind.parts()) {
      py::list options;
      for (const OptionDoc& doc : part.options) options.append(option(doc));
      py::dict d;
      d["name"] = part.name;
      d["doc"] = part.doc;
      d["options"] = options;
      parts.append(d);
    }
    list.append(py::make_tuple(kind.word, kind.plural, parts));
  }
  return list;
}

py::list data_sets() {
  py::list list;
  for (const DatasetInfo& info : dataset_infos())
    list.append(py::make_tuple(info.name, info.doc, info.files));
  return list;
}

}  // namespace

void bind_parts(py::module_& m) {
  m.def("kinds", &kinds, "[(word, plural, [{name, doc, options}])] of every kind of part.");
  m.def("data_sets", &data_sets, "[(name, doc, reads files)] of every data set.");
  m.def(
      "load_plugin", [](const std::string& path) { load_plugin(path); }, py::arg("path"),
      "Loads a shared library with parts of one's own.");
}

}  // namespace spiketrain::python
