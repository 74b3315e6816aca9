// What a network does while one sample is shown to it: rasters to look at, and all of it as tensors.
// Tests: unit/sample_activity_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/optimizer.h"
#include "spiketrain/report/run_data.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// These samples of a data set, as evaluation sees them, on the device of the network.
Batch samples_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                 const std::vector<int64_t>& wanted);

/// Rasters of these samples, in their order, with class and prediction.  Empty if the network sends spike times, not spikes at steps.
std::vector<Raster> rasters_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                               const std::vector<int64_t>& wanted);

/// "input" [T,*]: what the encoder sent, T being the sample's own steps without padding; of each layer, by the name of its node, "2.output" [T,*]: spikes as uint8, what an analog neuron
/// sends as float, and, where the neuron has one, "2.membrane" [T,*] before reset; "prediction" [*out].  UsageError if there is no such sample.
NamedTensors activity_of(const Training& training, const std::shared_ptr<const Dataset>& data,
                         int64_t sample);

/// A raster as an SVG file by itself.
std::string raster_svg(const Raster& raster, const std::string& title);

}  // namespace spiketrain
