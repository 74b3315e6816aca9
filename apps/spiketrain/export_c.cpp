// spiketrain export c RUN --out DIR: C99 for microcontrollers.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/base/file.h"
#include "spiketrain/deploy/deployment.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct CExportCommand {
  TrainedRun from;
  std::string out, type = "f32";
  int64_t samples = 2, check = 100;
};

void write_files(const std::string& dir, const deploy::Files& files) {
  std::error_code error;
  for (const auto& [name, text] : files) {
    const std::filesystem::path path = std::filesystem::path(dir) / name;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) throw SystemError(path.parent_path().string(), "make the folder", error.value());
    write_file_atomic(path.string(), text);
  }
}

/// What the values of the input are.
std::string scaling(const deploy::FixedProgram& program) {
  if (program.kind == deploy::Input::counts) return "Its values are numbers of spikes";
  return str("A value of the input is what the encoder sends, times 2^", program.input_exponent,
             ", rounded to a whole number");
}
std::string scaling(const deploy::FloatProgram& program) {
  return program.kind == deploy::Input::counts ? "Its values are numbers of spikes"
                                               : "A value of the input is what the encoder sends";
}

void print_agreement(const std::vector<deploy::Agreement>& layers, int64_t samples) {
  std::cout << "spikes of the library's network on " << thousands(samples)
            << " test samples, beside the exported one's:\n";
  std::vector<std::vector<std::string>> rows = {{"layer", "spikes", "different"}};
  for (const auto& layer : layers)
    rows.push_back({layer.layer, thousands(layer.spikes), thousands(layer.different)});
  print_table(rows);
}

template <class Math>
int write(const CExportCommand& command, const Trained& trained, const deploy::Deployment& d,
          const deploy::Program<Math>& program) {
  const Training& training = trained.experiment.training;
  deploy::CExport<Math> c;
  c.program = &program;
  const deploy::Reading reading = deploy::read_decision(training);
  c.decision = reading.decision;
  c.first_read = reading.first;
  c.about = str(d.model.notation, " of ", std::filesystem::path(trained.path).filename().string(), " as ",
                command.type);
  c.scaling = scaling(program);
  c.samples = deploy::read_samples(training, *training.data.test, program, command.samples);
  deploy::Machine<Math> machine(program);
  for (auto& sample : c.samples) deploy::record(machine, c.decision, c.first_read, sample);
  write_files(command.out, write_c(c));
  const deploy::CFootprint f = footprint(c);
  std::cout << trained.path << " -> " << command.out << ", " << command.type << "\n";
  print_table({{"weights", thousands(f.weight_bytes) + " bytes"},
               {"other constants", thousands(f.coefficient_bytes) + " bytes"},
               {"state", thousands(f.ram_bytes) + " bytes"},
               {"weights added per step", thousands(static_cast<int64_t>(f.additions + 0.5)) +
                                              " of at most " + thousands(f.most_additions)},
               {"neurons updated per step", thousands(f.updates)}});
  if (command.check > 0) {
    const int64_t n = std::min(command.check, training.data.test->size());
    print_agreement(deploy::compare_spikes(training, *training.data.test, program, n), n);
  }
  return kOk;
}

int run_export(const CExportCommand& command) {
  prepare_process(nullptr, 0);
  const Trained trained = load_trained(command.from, torch::kCPU);
  const deploy::Deployment d = deploy::read_training(trained.experiment.training);
  if (command.type == "f32") return write(command, trained, d, deploy::lower(d.model, d.kind));
  const int bits = command.type == "q7" ? 8 : 16;
  return write(command, trained, d, deploy::quantise(d.model, bits, d.kind, d.input_range));
}

}  // namespace

void add_export_c(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<CExportCommand>();
  CLI::App* sub = app.add_subcommand("c", "C99 without dependencies, for microcontrollers");
  command->from.command = "export c";
  add_trained(*sub, command->from);
  sub->add_option("--out", command->out, "folder to write to")->required();
  sub->add_option("--type", command->type, "f32; q7, q15: whole numbers, weights of 8 or 16 bits")
      ->check(CLI::IsMember({"f32", "q7", "q15"}))
      ->capture_default_str();
  sub->add_option("--samples", command->samples, "test samples that model_test.c holds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  sub->add_option("--check", command->check,
                  "test samples on which spikes are compared with the library's; 0: none")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_export(*command); });
}

}  // namespace spiketrain::cli
