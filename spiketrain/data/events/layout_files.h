// Folders of recordings: listing, and the class folders below them.  Private to the layouts.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
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
void take_turns(const ClassFiles& classes, ClipSet& set);

/// One line of the labels of DVS128 Gesture.
struct GestureLabel {
  int64_t label = 0;                 ///< from 0
  int64_t begin_us = 0, end_us = 0;  ///< begin < end
};
/// Lines "class,start,end", class 1 to 11, times in us, below a head line that begins with "class".
/// DataError with the offset of the line that is something else; `path` is only named there.
std::vector<GestureLabel> parse_gesture_labels(ByteSpan bytes, const std::string& path);

bool ends_with(const std::string& text, const std::string& ending);

/// "a, b, c"
std::string class_names(const ClassFiles& classes);

}  // namespace spiketrain
