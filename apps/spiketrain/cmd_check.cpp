// spiketrain check: every case of every kernel (kernels/cases.h) against its plain loops, on this machine, at
// every instruction set that it has.  One line per kernel; exit 1 if anything differs.
#include <algorithm>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/isa.h"

namespace spiketrain::cli {
namespace {

struct CheckCommand {
  std::vector<std::string> kernels, isas;
};

/// UsageError if a kernel that was asked for does not exist.
std::vector<const cpu::KernelCases*> chosen(const std::vector<std::string>& wanted) {
  std::vector<const cpu::KernelCases*> result;
  std::vector<std::string> names;
  for (const cpu::KernelCases& kernel : cpu::kernel_cases()) {
    names.push_back(kernel.name);
    if (wanted.empty() || std::count(wanted.begin(), wanted.end(), kernel.name) > 0)
      result.push_back(&kernel);
  }
  for (const std::string& name : wanted) {
    ST_CHECK(std::count(names.begin(), names.end(), name) > 0, "check: unknown kernel '", name, "'",
             spelled_like(name, names, "."), " Kernels: ", join(names));
  }
  return result;
}

/// Prints the kernel's line; returns whether it agreed everywhere.
bool check_kernel(const cpu::KernelCases& kernel, const std::vector<std::string>& isas, size_t width) {
  int64_t compared = 0;
  std::string failures;
  for (const std::string& isa : isas) {
    use_isa(isa);
    const cpu::CheckResult result = cpu::check(kernel);
    compared += result.compared;
    if (result.failed == 0) continue;
    failures += str(failures.empty() ? "" : "; ", isa, " differs in ", thousands(result.failed), " of ",
                    thousands(result.compared), " cases, first in ", result.first);
  }
  std::cout << kernel.name << std::string(width - kernel.name.size() + 2, ' ');
  if (failures.empty()) {
    std::cout << "ok  " << thousands(compared) << " comparisons at " << join(isas, " ") << "  "
              << kernel.compared;
  } else {
    std::cout << "FAILED  " << failures;
  }
  std::cout << std::endl;  // at once: a kernel takes seconds
  return failures.empty();
}

int run_check(const CheckCommand& command) {
  const std::vector<const cpu::KernelCases*> kernels = chosen(command.kernels);
  const std::vector<std::string> isas = command.isas.empty() ? supported_isas() : command.isas;
  for (const std::string& isa : isas) use_isa(isa);  // wrong names are refused before anything runs
  size_t width = 0;
  for (const cpu::KernelCases* kernel : kernels) width = std::max(width, kernel->name.size());
  bool good = true;
  for (const cpu::KernelCases* kernel : kernels) good = check_kernel(*kernel, isas, width) && good;
  return good ? kOk : kFailure;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<CheckCommand>();
  CLI::App* sub = app.add_subcommand("check", "compare the kernels with plain loops on this machine");
  sub->add_option("--kernel", command->kernels, "only this one; may be given more than once");
  sub->add_option("--isa", command->isas,
                  "only this instruction set, e.g. AVX2; may be given more than once");
  sub->callback([command, &exit_code] { exit_code = run_check(*command); });
}

}  // namespace spiketrain::cli
