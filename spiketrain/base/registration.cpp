#include "spiketrain/base/registration.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "spiketrain/base/check.h"
#include "spiketrain/base/plugin.h"
#include "spiketrain/base/text.h"

// Marks the file that this is linked into: an ELF note, which stays visible in the process whatever symbols are hidden,
// however the file was loaded, and whichever copy's functions the loader has bound.
asm(".pushsection .note.spiketrain,\"a\",%note\n"
    "  .balign 4\n"
    "  .long 11, 0, 1\n"
    "  .asciz \"Spiketrain\"\n"
    "  .balign 4\n"
    ".popsection\n");

namespace spiketrain {
namespace {

constexpr char kMark[] = "Spiketrain";

/// Problems outside of trials.
std::vector<std::string>& problems() {
  static std::vector<std::string> list;
  return list;
}

Trial*& trial() {
  static Trial* current = nullptr;
  return current;
}

size_t padded(size_t size, size_t alignment) { return (size + alignment - 1) / alignment * alignment; }

bool holds_mark(const char* notes, size_t size, size_t alignment) {
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof(note));
    const size_t name = at + sizeof(note), text = padded(name + note.n_namesz, alignment);
    if (note.n_namesz == sizeof(kMark) && name + sizeof(kMark) <= size &&
        std::memcmp(notes + name, kMark, sizeof(kMark)) == 0)
      return true;
    at = padded(text + note.n_descsz, alignment);
  }
  return false;
}

int add_if_marked(dl_phdr_info* file, size_t, void* copies) {
  for (int i = 0; i < file->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = file->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const char*>(file->dlpi_addr + part.p_vaddr);
    if (!holds_mark(notes, part.p_memsz, part.p_align == 8 ? 8 : 4)) continue;
    const std::string name = file->dlpi_name;
    static_cast<std::vector<std::string>*>(copies)->push_back(name.empty() ? "the program" : name);
    break;
  }
  return 0;
}

/// UsageError's text if there are two copies, else "".
std::string copies_problem() {
  const std::vector<std::string> copies = loaded_copies();
  if (copies.size() < 2) return "";
  return "Spiketrain is in this process more than once, in " + join(copies, " and in ") +
         "; each copy would know only its own parts: link them all to one libspiketrain.so";
}

}  // namespace

void note_problem(std::string problem) noexcept {
  (trial() ? trial()->problems_ : problems()).push_back(std::move(problem));
}

namespace {

/// Made once per copy, while it is loaded.
[[maybe_unused]] const bool alone = [] {
  const std::string problem = copies_problem();
  if (!problem.empty()) note_problem(problem);
  return problem.empty();
}();

}  // namespace

Trial::Trial() { trial() = this; }

Trial::~Trial() {
  trial() = nullptr;
  if (kept_) return;
  for (const auto& undo : undo_) undo();
}

bool register_static(const std::function<void()>& add, std::function<void()> undo) noexcept {
  try {
    add();
    if (trial()) trial()->undo_.push_back(std::move(undo));
    return true;
  } catch (const std::exception& error) {
    note_problem(error.what());
    return false;
  }
}

void check_registrations() {
  if (problems().empty()) return;
  const std::string copies = copies_problem();  // the reason of all others
  throw UsageError(copies.empty() ? problems().front() : copies);
}

std::string plugin_hint() {
  std::vector<std::string> names;
  for (const std::string& path : loaded_plugins()) names.push_back(path.substr(path.rfind('/') + 1));
  return names.empty() ? ". Parts of your own: --plugin FILE.so" : ". Plugins loaded: " + join(names);
}

std::vector<std::string> loaded_copies() {
  std::vector<std::string> copies;
  dl_iterate_phdr(add_if_marked, &copies);
  return copies;
}

}  // namespace spiketrain
