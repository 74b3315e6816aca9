// Data sets of the library by index, and frames from events.
#include "python/src/bind.h"
#include "spiketrain/data/events/framing.h"
#include "spiketrain/data/source.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain::python {
namespace {

using DatasetP = std::shared_ptr<const Dataset>;

/// The split of a data set; `data` and `events` are options of a recipe's sections.
DatasetP open_split(const py::dict& data, const py::dict& events, int64_t steps, uint64_t seed,
                    const std::string& split, const std::string& dir) {
  Recipe recipe;
  read_options(recipe.data, to_config(data), "data");
  read_options(recipe.events, to_config(events), "events");
  recipe.steps = steps;
  recipe.seed = static_cast<int64_t>(seed);
  recipe.encoder = {{"name", "direct"}};
  recipe.data.check();
  const py::gil_scoped_release no_gil;
  return open_datasets(recipe, dir).split(split);
}

/// Sample as a tensor [*] or frames [T,*].
Tensor sample(const Dataset& data, int64_t index, int64_t epoch) {
  const SampleSpec& spec = data.sample();
  std::vector<int64_t> sizes = spec.shape;
  if (spec.steps > 0) sizes.insert(sizes.begin(), spec.steps);
  const Tensor x = torch::zeros(sizes, spec.type);
  data.read(index, epoch, x.data_ptr());
  return x;
}

Tensor target(const Dataset& data, int64_t index) {
  const TargetSpec& spec = data.target();
  if (spec.kind == Target::Kind::class_index) return torch::tensor(data.class_of(index));
  std::vector<int64_t> sizes = spec.shape;
  if (spec.kind == Target::Kind::sequence) sizes.insert(sizes.begin(), spec.extent);
  if (spec.kind == Target::Kind::spike_times) sizes.push_back(spec.extent);
  const Tensor y = torch::zeros(sizes);
  data.read_target(index, y.data_ptr());
  return y;
}

void check_index(const Dataset& data, int64_t index) {
  if (index < 0 || index >= data.size())
    throw py::index_error(spiketrain::str("data set: index ", index, " of ", data.size(), " samples"));
}

/// Columns [N] of events -> frames [T,P,H,W] uint8.
Tensor frames(const Tensor& x, const Tensor& y, const Tensor& t, const Tensor& p, int64_t steps,
              const std::tuple<int64_t, int64_t, int64_t>& sensor, const py::dict& options) {
  EventOptions how;
  read_options(how, to_config(options), "frames");
  const auto [width, height, polarities] = sensor;
  const Framer framer(how, steps, {width, height, polarities});
  const int64_t n = t.numel();
  ST_CHECK(x.numel() == n && y.numel() == n && p.numel() == n, "frames: expected as many x, y and p as t, ",
           n, ", got ", x.numel(), ", ", y.numel(), " and ", p.numel());
  ST_CHECK(!t.is_floating_point(), "frames: expected times in whole microseconds, got type ",
           c10::toString(t.scalar_type()));
  const auto column = [](const Tensor& c) { return c.to(torch::kLong).contiguous(); };
  const Tensor cx = column(x), cy = column(y), ct = column(t), cp = column(p);
  std::vector<Event> events(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at_x = cx.data_ptr<int64_t>()[i], at_y = cy.data_ptr<int64_t>()[i];
    const int64_t polarity = cp.data_ptr<int64_t>()[i];
    ST_CHECK(at_x >= 0 && at_x < width && at_y >= 0 && at_y < height, "frames: event ", i, " at (", at_x,
             ", ", at_y, ") lies outside a sensor of ", width, " x ", height);
    ST_CHECK(polarity >= 0 && polarity < polarities, "frames: event ", i, " has polarity ", polarity,
             "; expected 0 to ", polarities - 1);
    events[static_cast<size_t>(i)] = {ct.data_ptr<int64_t>()[i], static_cast<uint16_t>(at_x),
                                      static_cast<uint16_t>(at_y), static_cast<uint8_t>(polarity)};
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.t_us < b.t_us; });
  std::vector<int64_t> sizes = framer.shape();
  sizes.insert(sizes.begin(), steps);
  const Tensor out = torch::zeros(sizes, torch::kByte);
  framer.frame(events, out.data_ptr<uint8_t>());
  return out;
}

}  // namespace

void bind_data(py::module_& m) {
  py::class_<Dataset, std::shared_ptr<Dataset>>(m, "Dataset")
      .def("__len__", &Dataset::size)
      .def("item",
           [](const Dataset& data, int64_t index, int64_t epoch) {
             check_index(data, index);
             const py::gil_scoped_release no_gil;
             return std::make_pair(sample(data, index, epoch), target(data, index));
           })
      .def("length",
           [](const Dataset& data, int64_t index) {
             check_index(data, index);
             return data.length(index);
           })
      .def_property_readonly("has_lengths", &Dataset::has_lengths)
      .def_property_readonly("frames", [](const Dataset& data) { return data.sample().steps; })
      .def_property_readonly("sample_shape",
                             [](const Dataset& data) { return py::tuple(py::cast(data.sample().shape)); })
      .def_property_readonly("classes", [](const Dataset& data) { return data.target().classes; })
      .def_property_readonly("class_names", [](const Dataset& data) { return data.target().class_names; })
      .def("describe", &Dataset::describe);
  m.def("open_split", [](const py::dict& data, const py::dict& events, int64_t steps, uint64_t seed,
                         const std::string& split, const std::string& dir) {
    return std::const_pointer_cast<Dataset>(open_split(data, events, steps, seed, split, dir));
  });
  m.def("frames", &frames);
}

}  // namespace spiketrain::python
