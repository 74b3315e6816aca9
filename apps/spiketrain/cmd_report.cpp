// spiketrain report RUN [RUN ...]: one HTML page of one or several runs, and its numbers as JSON.
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/report/run_report.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct ReportCommand {
  std::vector<std::string> runs, sets;
  std::string out, data_dir;
  int64_t samples = PassOptions().samples;
  int threads = 0;
};

void run_report(const ReportCommand& command) {
  const ReportFiles files = report_files(command.runs, command.out);
  prepare_process(nullptr, command.threads);
  std::vector<RunData> runs;
  for (const std::string& path : command.runs) {
    load_plugins_of_run(path);
    runs.push_back(read_run_data(path));
  }
  PassOptions options;
  options.data_dir = command.data_dir;
  options.sets = command.sets;
  options.samples = command.samples;
  for (RunData& run : runs) {
    std::cout << run.path << ": " << status_text(run.status) << ", " << run.epochs_done << " of "
              << run.epochs_planned << " epochs" << std::endl;
    measure_run(run, options);
    for (const std::string& line : run.missing) std::cout << "  not in the report: " << line << std::endl;
  }
  write_report(runs, files);
  std::cout << "writes " << files.page << " and " << files.json << std::endl;
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<ReportCommand>();
  CLI::App* sub =
      app.add_subcommand("report", "show runs as one HTML page: curves, layers, rasters, confusions, cost");
  sub->add_option("runs", command->runs, "run directories, finished or not; several are compared")
      ->required();
  add_out(
      *sub, command->out,
      "the page (default: report.html in the run, or here for several); its numbers go beside it as .json");
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--samples", command->samples, "test samples to measure on, at equal distances; 0: all")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  sub->add_option("--set", command->sets, "override a recipe option for these passes, as in train")
      ->allow_extra_args(false);
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->callback([command, &exit_code] {
    run_report(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
