// The spiketrain program: sets the environment of the process and loads the commands (cli.cpp).
// Why it does not simply link them:
//   - libgomp reads its environment in a constructor, before main and before any code of a program that links it, and
//     has no function to change how its threads wait.  By its default they spin, which takes the cores away from
//     whoever shares the machine and made training slower in our measurements.  (A constructor that sets the variables
//     would have to run between those of libc, which resets the environment, and of libgomp; the linker promises no
//     such order.)  A program that starts itself again loads LibTorch twice.
//   - --version needs no LibTorch, which takes a quarter of a second of processor time to load.
// Programs of one's own call prepare_process() (train/runtime.h).
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iterator>

#include "apps/spiketrain/signals.h"
#include "revision.h"
#include "spiketrain/base/passive_waiting.h"
#include "spiketrain/version.h"

namespace {

/// A program started without standard streams would get their numbers for the files it opens, and write its
/// text into them.
void open_standard_streams() {
  int file = open("/dev/null", O_RDWR);
  while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDWR);
  if (file >= 0) close(file);
}

int fail(const char* what, const char* why = "") {
  std::fprintf(stderr, "spiketrain: %s%s\n", what, why);
  return 1;
}

/// Under a small `ulimit -v` OpenBLAS asks for its buffers again for ever while it is being loaded.
void check_address_space() {
  constexpr rlim_t kLeast = rlim_t{1} << 30;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= kLeast)
    return;
  std::fprintf(
      stderr,
      "spiketrain: the limit on address space (ulimit -v) is %llu MiB; expected at least 1024 MiB; raise it, or "
      "limit memory by a control group\n",
      static_cast<unsigned long long>(limit.rlim_cur >> 20));
  std::exit(2);
}

/// Loads the commands.  They are found beside the other libraries, by this program's own search path; their name holds the
/// version, so that they are not another's.  They stay loaded: they have threads.
void* load_commands() {
  using spiketrain::cli::kStopSignals;
  struct sigaction before[std::size(kStopSignals)];
  for (size_t i = 0; i < std::size(kStopSignals); ++i) sigaction(kStopSignals[i], nullptr, &before[i]);
  void* library = dlopen(ST_CLI_LIBRARY, RTLD_LAZY | RTLD_GLOBAL);
  // What is loaded with them may reset signals (Open MPI, of Debian 13's LibTorch, does with SIGHUP): nohup would be lost.
  for (size_t i = 0; i < std::size(kStopSignals); ++i)
    if (before[i].sa_handler == SIG_IGN) sigaction(kStopSignals[i], &before[i], nullptr);
  return library;
}

int print_version() {
  const bool written = std::puts("spiketrain " ST_VERSION " " ST_REVISION) >= 0 && std::fflush(stdout) == 0;
  return written ? 0 : fail("standard output cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return print_version();
  check_address_space();
  spiketrain::wait_passively();
  void* library = load_commands();
  void* start = library ? dlsym(library, "spiketrain_main") : nullptr;
  if (!start) return fail("cannot load its commands: ", dlerror());
  return reinterpret_cast<int (*)(int, char**)>(start)(argc, argv);
}
