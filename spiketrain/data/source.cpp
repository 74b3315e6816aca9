#include "spiketrain/data/source.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/data/catalogue.h"
#include "spiketrain/data/manual_catalogue.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(DatasetSource, "data set")

namespace {

/// How to get the files, or "" for sets of which no official ones are known.
std::string how_to_get_files(const std::string& name) {
  const auto& fetched = catalogue();
  const bool known = std::any_of(fetched.begin(), fetched.end(),
                                 [&](const CatalogueEntry& entry) { return entry.name == name; });
  if (!known && find_manual_entry(name) == nullptr) return "";
  return str("; to get them: spiketrain data ", known ? "fetch " : "check ", name, " --data-dir DIR");
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const DataOptions& options) {
  const auto source = make<DatasetSource>(options.name.c_str());
  check_split(options);
  ST_CHECK(!source->needs_dir() || !options.dir.empty(), "data: ", options.name,
           " is read from files; give the folder that holds ", options.name,
           "/ with --data-dir (or SPIKETRAIN_DATA)", how_to_get_files(options.name));
  ST_CHECK(source->info().table || write_options(options.table) == write_options(TableOptions()),
           "data: ", options.name, " is no table; leave the section [table] out");
  return source->open(options);
}

std::vector<DatasetInfo> dataset_infos() {
  std::vector<DatasetInfo> infos;
  for (const std::string& name : Registry<DatasetSource>::get().names()) infos.push_back(dataset_info(name));
  return infos;
}

DatasetInfo dataset_info(const std::string& name) { return make<DatasetSource>(name.c_str())->info(); }

}  // namespace spiketrain
