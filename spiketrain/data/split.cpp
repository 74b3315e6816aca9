#include "spiketrain/data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"

namespace spiketrain {

std::vector<int64_t> split_indices(const DataOptions& o, int64_t total) {
  std::vector<int64_t> indices(static_cast<size_t>(total));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  if (o.split != "test" && o.validation > 0) {
    ST_CHECK(o.validation < total, "data: expected validation < ", total, " (all training samples), got ",
             o.validation);
    indices = permutation(total, Rng(o.seed, Purpose::split));
    const auto cut = indices.end() - o.validation;
    indices = o.split == "train" ? std::vector<int64_t>(indices.begin(), cut)
                                 : std::vector<int64_t>(cut, indices.end());
    std::sort(indices.begin(), indices.end());
  }
  if (o.limit > 0 && o.limit < static_cast<int64_t>(indices.size()))
    indices.resize(static_cast<size_t>(o.limit));
  return indices;
}

void check_split(const DataOptions& o) {
  ST_CHECK(o.split == "train" || o.split == "validation" || o.split == "test",
           "data: expected split train, validation or test, got \"", o.split, "\"");
  ST_CHECK(o.validation >= 0 && o.limit >= 0, "data: expected validation >= 0 and limit >= 0, got ",
           o.validation, " and ", o.limit);
  ST_CHECK(o.split != "validation" || o.validation > 0,
           "data: the validation split is empty; set validation to the number of samples to take from train");
  ST_CHECK(o.train_size > 0 && o.test_size > 0, "data: expected train_size > 0 and test_size > 0, got ",
           o.train_size, " and ", o.test_size);
}

void check_no_image_options(const DataOptions& o, const std::string& name, const std::string& instead) {
  ST_CHECK(!o.augments_images(), "data: ", name, " has no augmentation of images; ", instead,
           "set augment = false, rotate = 0 and zoom = 0");
  ST_CHECK(std::isnan(o.mean) && std::isnan(o.std), "data: frames of ", name,
           " are not normalised; leave mean and std out");
}

void check_no_event_options(const DataOptions& o, const std::string& name, const std::string& what) {
  ST_CHECK(write_options(o.events) == write_options(EventOptions()), "data: ", name, " holds ", what,
           ", to which [events] does not apply; leave that section out");
}

void check_steps(const DataOptions& o, const std::string& name) {
  ST_CHECK(o.steps > 0, "data: ", name, " is made of frames; set the number of them, DataOptions::steps");
}

}  // namespace spiketrain
