// Detection of event files and the table of their parsers; see event_file.h.
#include "spiketrain/data/events/event_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_parsers.h"

namespace spiketrain {
namespace {

struct Format {
  EventFormatInfo info;
  EventStream (*parse)(ByteSpan, const std::string&);
};

const std::vector<Format>& formats() {
  static const std::vector<Format> all = {
      {{"aedat4", "AEDAT 4 of DV: events, from LZ4, zstd or plain packets", {".aedat4"}}, parse_aedat4},
      {{"aedat3", "AEDAT 3.1 of cAER: polarity events", {".aedat"}}, parse_aedat3},
      {{"aedat2", "AEDAT 2.0 of jAER: events of a DVS128 or DAVIS", {".aedat"}}, parse_aedat2},
      {{"es", "Event Stream 2: events of a DVS or ATIS", {".es"}}, parse_es},
      {{"evt3", "Prophesee EVT 3.0", {".raw"}}, parse_evt3},
      {{"evt2", "Prophesee EVT 2.0", {".raw"}}, parse_evt2},
      {{"dat", "Prophesee DAT 2: change detection events", {".dat"}}, parse_dat},
      {{"nmnist", "N-MNIST and SLAYER 2-D: 5 bytes an event", {".bin", ".bs2"}}, parse_nmnist},
      {{"slayer1d", "SLAYER 1-D: channel and time, 5 bytes an event", {".bs1"}}, parse_slayer1d},
      {{"slayer3d", "SLAYER 3-D: 7 bytes an event", {".bs3"}}, parse_slayer3d}};
  return all;
}

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return extension;
}

/// The only format that has this extension, if any.
std::string format_by_extension(const std::string& extension) {
  std::string found;
  for (const Format& format : formats()) {
    const auto& all = format.info.extensions;
    if (std::find(all.begin(), all.end(), extension) == all.end()) continue;
    if (!found.empty()) return "";
    found = format.info.name;
  }
  return found;
}

/// A Prophesee file, from its header lines; `head` may be cut off.
std::string prophesee_format(const std::string& head) {
  const auto has = [&head](const char* text) { return head.find(text) != std::string::npos; };
  if (has("% evt 3.0\n") || has("% format EVT3;")) return "evt3";
  if (has("% evt 2.0\n") || has("% format EVT2;")) return "evt2";
  if (has("% Data file containing")) return "dat";
  return "";
}

/// From the start of the file; empty if it is not known.
std::string format_by_content(const std::string& head, const std::string& path) {
  const auto starts = [&head](const std::string& text) { return head.compare(0, text.size(), text) == 0; };
  if (starts("#!AER-DAT4.0")) return "aedat4";
  if (starts("#!AER-DAT3.1")) return "aedat3";
  if (starts("#!AER-DAT2.0")) return "aedat2";
  if (starts("#!AER-DAT")) {
    throw DataError(path, 0, str("expected AEDAT 2.0, 3.1 or 4.0, found ", head.substr(2, 10)));
  }
  if (starts("Event Stream")) return "es";
  if (starts("\x89HDF")) {
    throw DataError(path, 0, "an HDF5 file holds many recordings: read it as a data set (SHD, SSC)");
  }
  return starts("% ") ? prophesee_format(head) : "";
}

}  // namespace

std::vector<EventFormatInfo> event_formats() {
  std::vector<EventFormatInfo> result;
  for (const Format& format : formats()) result.push_back(format.info);
  return result;
}

bool has_event_extension(const std::string& path) {
  const std::string extension = extension_of(path);
  return std::any_of(formats().begin(), formats().end(), [&extension](const Format& format) {
    const auto& all = format.info.extensions;
    return std::find(all.begin(), all.end(), extension) != all.end();
  });
}

std::string detect_event_format(const std::string& path) {
  file_size(path);  // throws if it is missing
  std::ifstream file(path, std::ios::binary);
  std::string head(8192, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  const std::string extension = extension_of(path);
  std::string format = format_by_content(head, path);
  if (format.empty()) format = format_by_extension(extension);
  if (format.empty()) {
    std::string known;
    for (const Format& one : formats()) known += (known.empty() ? "" : ", ") + one.info.name;
    throw DataError(path, 0,
                    str("neither content nor extension belong to a known event file; known: ", known));
  }
  return format;
}

EventStream read_events(const std::string& path, const std::string& format) {
  const std::string name = format == "auto" ? detect_event_format(path) : format;
  for (const Format& one : formats()) {
    if (one.info.name == name) return one.parse(read_file(path), path);
  }
  std::string known = "auto";
  for (const Format& one : formats()) known += ", " + one.info.name;
  throw UsageError(str("event format '", format, "' is not known; expected one of: ", known));
}

}  // namespace spiketrain
