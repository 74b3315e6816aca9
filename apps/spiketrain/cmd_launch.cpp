// spiketrain launch --processes N [--hosts FILE] -- train ...: starts the processes of a group where no launcher is at hand.
// They get the variables that torchrun sets (parallel/placement.h).  When one fails the others learn it from each other; this
// program waits for them, and ends those that do not.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/signals.h"

namespace spiketrain::cli {
namespace {

struct LaunchCommand {
  int processes = 0;
  int64_t port = 0, grace = 60;
  std::string hosts, address, ssh = "ssh";
  std::vector<std::string> words;
};

/// A machine and how many processes it gets.
struct Host {
  std::string name;
  int64_t slots = 1;
};

/// A process to start: its place and, of another machine, the command that reaches it.
struct Place {
  int64_t rank, local_rank, local_size;
  std::string host;
};

volatile std::sig_atomic_t passed_on = 0;
std::vector<pid_t> children;

/// Async-signal-safe: children is not changed once the handler is set.
void pass_on(int signal) {
  passed_on = signal;
  for (const pid_t child : children)
    if (child > 0) kill(child, signal);
}

/// "name" or "name slots=N", or "name:N" a line; empty lines and what follows '#' do not count.
std::vector<Host> read_hosts(const std::string& path) {
  std::ifstream file(path);
  ST_CHECK(file.good(), "launch --hosts: cannot read ", path);
  std::vector<Host> hosts;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    for (char& c : line) c = c == ':' || c == '=' ? ' ' : c;
    std::istringstream words(line);
    std::string name, word;
    if (!(words >> name)) continue;
    Host host{name};
    if (words >> word) {
      std::istringstream count(word);
      if (word == "slots") words >> word, count = std::istringstream(word);
      ST_CHECK((count >> host.slots) && count.eof() && host.slots >= 1 && host.slots <= 4096 &&
                   !(words >> word) && name[0] != '-',
               path, ": line ", number,
               ": expected a machine and how many processes it gets, such as 'node1 slots=2'");
    }
    hosts.push_back(host);
  }
  ST_CHECK(!hosts.empty(), path, ": names no machine");
  return hosts;
}

std::vector<Place> places(const LaunchCommand& command) {
  std::vector<Place> list;
  if (command.hosts.empty()) {
    ST_CHECK(command.processes >= 1, "launch: expected --processes N, or --hosts FILE");
    for (int64_t r = 0; r < command.processes; ++r) list.push_back({r, r, command.processes, ""});
    return list;
  }
  for (const Host& host : read_hosts(command.hosts)) {
    for (int64_t k = 0; k < host.slots; ++k)
      list.push_back({static_cast<int64_t>(list.size()), k, host.slots, host.name});
  }
  ST_CHECK(command.processes == 0 || command.processes == static_cast<int>(list.size()),
           "launch: --processes ", command.processes, ", but ", command.hosts, " has places for ",
           list.size());
  return list;
}

/// A port of this machine that nobody has now.
int64_t free_port() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(any);
  const bool bound = s >= 0 && bind(s, reinterpret_cast<sockaddr*>(&any), size) == 0 &&
                     getsockname(s, reinterpret_cast<sockaddr*>(&any), &size) == 0;
  if (s >= 0) close(s);
  if (!bound) throw std::runtime_error("launch: this machine has no free port; give one with --port");
  return ntohs(any.sin_port);
}

std::vector<std::pair<std::string, std::string>> variables(const LaunchCommand& command, const Place& place,
                                                           size_t size) {
  return {{"RANK", std::to_string(place.rank)},
          {"WORLD_SIZE", std::to_string(size)},
          {"LOCAL_RANK", std::to_string(place.local_rank)},
          {"LOCAL_WORLD_SIZE", std::to_string(place.local_size)},
          {"MASTER_ADDR", command.address},
          {"MASTER_PORT", std::to_string(command.port)}};
}

/// On another machine, through ssh: the same program in the same folder.
std::vector<std::string> remote_words(const LaunchCommand& command, const Place& place,
                                      const std::vector<std::pair<std::string, std::string>>& variables) {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) throw std::runtime_error("launch: cannot tell where this program is");
  char folder[4096];
  ST_CHECK(getcwd(folder, sizeof(folder)), "launch: the present folder has been removed");
  std::string line = "cd " + shell_word(folder) + " && exec env";
  for (const auto& [name, value] : variables) line += " " + name + "=" + shell_word(value);
  line += " " + shell_word(std::string(path, static_cast<size_t>(length)));
  for (const std::string& word : command.words) line += " " + shell_word(word);
  std::vector<std::string> words;
  std::istringstream ssh(command.ssh);
  for (std::string word; ssh >> word;) words.push_back(word);
  words.push_back(place.host);
  words.push_back(line);
  return words;
}

pid_t start(const LaunchCommand& command, const Place& place, size_t size) {
  const auto set = variables(command, place, size);
  std::vector<std::string> words = {"/proc/self/exe"};
  words.insert(words.end(), command.words.begin(), command.words.end());
  if (!place.host.empty()) words = remote_words(command, place, set);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (place.host.empty()) {
    for (const auto& [name, value] : set)
      setenv(name.c_str(), value.c_str(), 1);  // here: a child may not allocate
  }
  const pid_t child = fork();
  if (child == 0) {
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  if (child < 0) throw std::runtime_error("launch: cannot start another process");
  return child;
}

int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

struct End {
  size_t rank;
  int code;
  bool made = false;  ///< by this program: it did not end by itself
};

/// How they ended, in that order.  Those that go on for `grace` seconds after one has failed are ended.
std::vector<End> wait_for_all(int64_t grace) {
  using Clock = std::chrono::steady_clock;
  std::vector<End> ends;
  Clock::time_point deadline = Clock::time_point::max();
  bool ended = false;
  while (ends.size() < children.size()) {
    int status = 0;
    const pid_t child = waitpid(-1, &status, WNOHANG);
    if (child <= 0) {
      if (Clock::now() > deadline) {
        for (const pid_t other : children)
          if (other > 0) kill(other, SIGKILL);
        ended = true;
        deadline = Clock::time_point::max();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    for (size_t r = 0; r < children.size(); ++r) {
      if (children[r] != child) continue;
      children[r] = 0;
      ends.push_back({r, code_of(status), ended && code_of(status) == 128 + SIGKILL});
      if (ends.back().code != 0 && deadline == Clock::time_point::max())
        deadline = Clock::now() + std::chrono::seconds(grace);
    }
  }
  return ends;
}

/// Of ssh, whose own failures it means, and processes ended by a signal.
constexpr int kNoConnection = 255;

/// The code of the first that failed for a reason of its own.
int conclude(const std::vector<End>& ends) {
  int code = kOk;
  for (const End& end : ends) {
    if (end.code == kOk || passed_on) {
      code = code == kOk ? end.code : code;
      continue;
    }
    if (end.made) {
      std::cerr << "spiketrain: launch: the process of rank " << end.rank << " did not end, and was ended"
                << std::endl;
      continue;  // another has failed before
    }
    if (end.code == kNoConnection)
      std::cerr << "spiketrain: launch: the machine of rank " << end.rank
                << " could not be reached, or the process there was killed" << std::endl;
    else if (end.code > 128 && end.code != 128 + SIGTERM)
      std::cerr << "spiketrain: launch: the process of rank " << end.rank << " was ended by signal "
                << end.code - 128 << std::endl;
    if (end.code == 127)
      std::cerr << "spiketrain: launch: the process of rank " << end.rank << " could not be started"
                << std::endl;
    if (code == kOk || code == kGroup) code = end.code;
  }
  return code;
}

int run_launch(LaunchCommand command) {
  ST_CHECK(!command.words.empty(),
           "launch: expected what to start after --, such as: spiketrain launch --processes 2 -- train "
           "recipes/quickstart.toml");
  ST_CHECK(command.words[0] == "train", "launch: only train runs in several processes, got '",
           command.words[0], "'");
  const std::vector<Place> all = places(command);
  const bool here = command.hosts.empty();
  if (command.address.empty()) command.address = here ? "127.0.0.1" : all[0].host;
  if (command.port == 0) command.port = here ? free_port() : 29500;
  for (const Place& place : all) children.push_back(start(command, place, all.size()));
  for (const int signal : kStopSignals) handle_stop(signal, pass_on);
  return conclude(wait_for_all(command.grace));
}

}  // namespace

void add_launch(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<LaunchCommand>();
  CLI::App* sub =
      app.add_subcommand("launch", "start the processes of a training run, here or on several machines");
  sub->add_option("--processes", command->processes, "how many; with --hosts as many as it has places")
      ->check(CLI::Range(1, 4096));
  sub->add_option(
      "--hosts", command->hosts,
      "file with a machine a line and how many processes it gets, 'node1 slots=2'; they are reached by ssh, and have this "
      "folder and program at the same place");
  sub->add_option(
      "--address", command->address,
      "where the processes meet: an address of the first machine (default: 127.0.0.1; with --hosts its name there)");
  sub->add_option("--port", command->port, "port there; 0: a free one; with --hosts 29500")
      ->check(CLI::Range(0, 65535));
  sub->add_option("--ssh", command->ssh,
                  "how to reach a machine: a command that takes its name and a command line")
      ->capture_default_str();
  sub->add_option("--grace", command->grace, "seconds that the others have to end when one has failed")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  sub->add_option("command", command->words, "after --: the command, such as train recipes/quickstart.toml");
  sub->prefix_command(false);
  sub->callback([command, &exit_code] { exit_code = run_launch(*command); });
}

}  // namespace spiketrain::cli
