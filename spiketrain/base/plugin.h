// Plugin = a shared library with parts of one's own, loaded while the program runs.  It is linked to libspiketrain.so, and its
// parts register themselves (ST_REGISTER, base/registry.h).  docs/install.md, examples/own_parts.
// Tests: unit/plugin_test.cpp.
#pragma once
#include <string>
#include <vector>

namespace spiketrain {

/// Loads a plugin; nothing happens if it is loaded already.  UsageError if the file is not there or cannot be loaded, if
/// one of its parts has a name that is taken, or if it holds a copy of Spiketrain: none of its parts is known then.
/// Not while another thread makes or looks up parts.
void load_plugin(const std::string& path);

/// Absolute paths of what load_plugin() has loaded, in order.
std::vector<std::string> loaded_plugins();

}  // namespace spiketrain
