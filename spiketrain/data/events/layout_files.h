// Folders of recordings: listing, and the class folders below them.  For the files that say where the
// recordings of a data set lie (nmnist.cpp, dvs_gesture.cpp, cifar10_dvs.cpp, folder_layout.cpp).
// Numbers in names are compared as numbers.  Class folders take turns (first of every class, second, ...),
// so that the first n samples hold all classes.  Hidden files are passed over.
// Tests: unit/event_sets_test.cpp.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/data/events/clip_source.h"

namespace spiketrain {

/// Order of names in which runs of digits are compared as numbers: a2 < a10.
bool natural_less(const std::string& a, const std::string& b);

/// Names in `folder` that are not hidden, in natural order.  DataError if there is no such folder, with
/// `hint`.
std::vector<std::string> folder_names(const std::string& folder, const std::string& hint);
bool is_folder(const std::string& path);

/// Class -> paths of its files, both in natural order.
using ClassFiles = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// The folders in `folder` as classes, with the files in them that end in `extension`.  DataError: no such
/// folder, no class folder, a class without files.
ClassFiles class_folders(const std::string& folder, const std::string& extension, const std::string& hint);

/// Appends whole recordings, the classes taking turns.
void take_turns(const ClassFiles& classes, ClipSet& set);

bool ends_with(const std::string& text, const std::string& ending);

/// What to do about missing files of an official set.
std::string missing_hint(const std::string& name);

/// Largest text file that lists recordings.
constexpr uint64_t kMaxListBytes = 64 << 20;

/// Their names.
std::vector<std::string> names_of(const ClassFiles& classes);
/// "a, b, c"
std::string class_names(const ClassFiles& classes);

}  // namespace spiketrain
