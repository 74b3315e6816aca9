// Reads an event file of any known format.
// Tests: unit/event_file_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/data/events/event_stream.h"

namespace spiketrain {

struct EventFormatInfo {
  std::string name;
  std::string doc;                      ///< one line
  std::vector<std::string> extensions;  ///< with the dot, lower case
};

/// The formats of read_events, in the order in which they are tried.
std::vector<EventFormatInfo> event_formats();

/// True if `path` ends as the files of a known format do.
bool has_event_extension(const std::string& path);

/// The format of the file, from its first bytes, or from its extension if the format has no mark.
/// DataError if it cannot be told or is one that is not read.
std::string detect_event_format(const std::string& path);

/// Reads the whole file; `format` is a name of event_formats() or "auto".  DataError if it is missing or
/// damaged, UsageError if the name is not known.
EventStream read_events(const std::string& path, const std::string& format = "auto");

}  // namespace spiketrain
