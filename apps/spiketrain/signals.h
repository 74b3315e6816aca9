// The signals that ask a program to end, unless it was started with them ignored: nohup ignores SIGHUP, and a script's shell
// ignores SIGINT in what it starts in the background.  Schedulers of clusters send SIGUSR1, SIGUSR2 or SIGXCPU before the
// time is up.
// Tests: unit/cli_signals_test.cpp, train/signal_test.cpp.
#pragma once
#include <csignal>

namespace spiketrain::cli {

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGUSR2};

/// `handler` for a signal.  Calls that it interrupts go on: on network file systems even open() and fsync() can be
/// interrupted, and would fail.  Safe in a child after fork().
inline void handle_signal(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

/// The same for a stop signal; one that is ignored stays so.
inline void handle_stop(int signal, void (*handler)(int)) {
  struct sigaction before {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN) handle_signal(signal, handler);
}

}  // namespace spiketrain::cli
