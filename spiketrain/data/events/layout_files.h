// Folders of recordings: listing, and the class folders below them.  Private to the layouts.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/data/events/clip_source.h"

namespace spiketrain {

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
void take_turns(const ClassFiles& classes, std::vector<Clip>& clips);

bool ends_with(const std::string& text, const std::string& ending);

/// "a, b, c"
std::string class_names(const ClassFiles& classes);

}  // namespace spiketrain
