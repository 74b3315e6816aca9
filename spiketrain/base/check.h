// Errors by whose fault they are.  The library throws; only the command line prints and exits.
#pragma once
#include <cstdint>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>

namespace spiketrain {

/// `text` with '?' for control characters: what a user or a file names may hold line breaks, a message is one line.
inline std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return text;
}

/// The caller's mistake (shape, option, incompatible parts).  Says what was expected, what came, what to do.
/// Exit 2.
struct UsageError : std::runtime_error {
  const char* file;  ///< where it was thrown, for developers; the message does not show it
  int line;
  /// The defaults are the place of the call.
  explicit UsageError(const std::string& what, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE())
      : std::runtime_error(one_line(what)), file(file), line(line) {}
};

/// A bad file or record.  Exit 3.
struct DataError : std::runtime_error {
  std::string path;
  uint64_t byte_offset;
  /// `what` is one line: what was expected and what was found.  Offset 0 speaks of the file as a whole.
  DataError(std::string path, uint64_t byte_offset, const std::string& what)
      : std::runtime_error(
            one_line(path + ": " + (byte_offset ? "byte " + std::to_string(byte_offset) + ": " : "") + what)),
        path(std::move(path)),
        byte_offset(byte_offset) {}
};

/// The system refused, whatever the file holds: missing, no rights, no space, a broken disk.
struct SystemError : DataError {
  /// `code` is an errno; the message is "cannot `action`: " and its text.
  SystemError(std::string path, const std::string& action, int code, uint64_t byte_offset = 0)
      : DataError(std::move(path), byte_offset, "cannot " + action + ": " + std::strerror(code)) {}
};

/// NaN or infinity in the loss or a gradient.  Exit 4.
struct NumericError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A mistake of the library itself.  Exit 1.
struct InternalError : std::logic_error {
  InternalError(const char* file, int line, const std::string& what)
      : std::logic_error(std::string(file) + ":" + std::to_string(line) + ": internal error: " + what) {}
};

/// Joins its arguments into one string, as a stream would.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

}  // namespace spiketrain

#define ST_CHECK(cond, ...)                                                                          \
  do {                                                                                               \
    if (!(cond)) throw ::spiketrain::UsageError(::spiketrain::str(__VA_ARGS__), __FILE__, __LINE__); \
  } while (false)

/// Our own bug: an InternalError with the place.
#define ST_ASSERT(cond)                                                                    \
  do {                                                                                     \
    if (!(cond)) throw ::spiketrain::InternalError(__FILE__, __LINE__, #cond " is false"); \
  } while (false)
