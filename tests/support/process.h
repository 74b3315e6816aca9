// Child processes for tests of the command line.
#pragma once
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace spiketrain {

/// Starts a program with its standard output and error written to `output_path`; returns its process id.  Signals have
/// their default effect: tests that run in the background of a script would hand on that SIGINT is ignored.
inline pid_t spawn(const std::vector<std::string>& arguments, const std::string& output_path) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  for (const int number : {SIGHUP, SIGINT, SIGPIPE, SIGTERM}) signal(number, SIG_DFL);
  const int output = open(output_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

/// Starts a program on a new pseudo-terminal; its other end is `*terminal`.  -1 if there is none.
inline pid_t spawn_on_terminal(const std::vector<std::string>& arguments, int* terminal) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = forkpty(terminal, nullptr, nullptr, nullptr);
  if (child != 0) return child;
  execv(argv[0], argv.data());
  _exit(127);
}

/// Exit code, or 1000 + the signal that ended the process.
inline int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace spiketrain
