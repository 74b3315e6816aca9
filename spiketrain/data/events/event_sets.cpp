#include "spiketrain/data/events/event_sets.h"

#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/frame_dataset.h"
#include "spiketrain/data/events/framing.h"

namespace spiketrain {

std::unique_ptr<Dataset> EventSet::open(const DataOptions& options) const {
  const std::string name = info().name;
  check_steps(options, name);
  check_no_image_options(options, name, "events.flip, events.roll and events.drop augment its frames; ");
  const auto source = recordings(options, options.split != "test");
  FrameDatasetOptions frames;
  frames.name = name + " " + options.split;
  frames.events = options.events;
  frames.steps = options.steps;
  frames.seed = options.seed;
  const EventOptions& e = options.events;
  frames.augment = options.split == "train" && (e.flip || e.roll > 0 || e.drop > 0);
  return make_frame_dataset(source, split_indices(options, source->size()), frames);
}

DatasetInfo EventSet::describe(const char* doc, bool files, Shape sensor, int64_t classes) const {
  return {part_name(), doc, files, std::move(sensor), Batch::Form::frames, TargetSpec::class_index(classes),
          true};
}

std::shared_ptr<const EventSource> open_event_source(const DataOptions& options, bool train) {
  const auto set = std::dynamic_pointer_cast<const EventSet>(make<DatasetSource>(options.name.c_str()));
  ST_CHECK(set, "\"", options.name, "\" is no data set of events");
  return set->recordings(options, train);
}

Shape event_frame_shape(const DatasetInfo& info, const EventOptions& options) {
  ST_CHECK(info.events, info.name, " is no data set of events");
  SensorSize sensor{info.shape[2], info.shape[1], info.shape[0]};
  if (!options.sensor.empty() && (info.shape[1] == 0 || !info.files)) {
    ST_CHECK(options.sensor.size() == 2, "events.sensor: expected [height, width]");
    sensor = {options.sensor[1], options.sensor[0], 2};
  }
  ST_CHECK(sensor.width > 0, info.name, ": the files decide on the size of the sensor; set events.sensor");
  return frame_shape(options, sensor);
}

}  // namespace spiketrain
