#include "spiketrain/deploy/export.h"

#include <algorithm>
#include <filesystem>

#include "spiketrain/base/file.h"

namespace spiketrain::deploy {
namespace {

FixedProgram whole_numbers(const Deployment& d, const std::string& type,
                           std::vector<Rounding>* rounding = nullptr) {
  ST_CHECK(type == "q7" || type == "q15", "integer type: expected q7 or q15, got '", type, "'");
  return quantise(d.model, type == "q7" ? 8 : 16, d.kind, d.input_range, rounding);
}

/// What the values of the input are.
std::string scaling(const FixedProgram& program) {
  if (program.kind == Input::counts) return "Its values are numbers of spikes";
  constexpr int kFew = 8;
  return str("A value of the input is the encoder's output times 2^", program.input_exponent,
             ", rounded to an integer of ", program.input_bits(), " bits and a sign",
             program.input_bits() < kFew
                 ? ", few: with more, sums over this many inputs might overflow 32 bits"
                 : "");
}
std::string scaling(const FloatProgram& program) {
  return program.kind == Input::counts ? "Its values are numbers of spikes"
                                       : "A value of the input is what the encoder sends";
}

/// What is written beside the program: recorded samples, and how to read it.
template <class Math>
CExport<Math> recorded(const Training& training, const ExportOptions& options, const std::string& notation,
                       const Program<Math>& program) {
  CExport<Math> c;
  c.program = &program;
  c.reading = reading_of(training);
  c.about = str(notation, " of ", options.source, " as ", options.type);
  c.scaling = scaling(program);
  c.samples = read_samples(training, *training.data.test, program, options.samples);
  Machine<Math> machine(program);
  for (auto& sample : c.samples) record(machine, c.reading, sample);
  return c;
}

void check_counts(const char* command, const ExportOptions& options) {
  ST_CHECK(options.samples >= 1 && options.check >= 0, command,
           ": expected at least one sample, and samples to check of at least 0, got ", options.samples,
           " and ", options.check);
}

template <class Math>
Exported export_program(const Training& training, const ExportOptions& options, const std::string& notation,
                        const Program<Math>& program) {
  const CExport<Math> c = recorded(training, options, notation, program);
  Exported made;
  made.files = write_c(c);
  made.footprint = footprint(c);
  made.decides = c.reading.decides();
  made.input = c.scaling;
  if (options.check > 0) made.check = compare(training, *training.data.test, program, options.check);
  if (!Math::kFixed) check_rounding(made.check);
  return made;
}

}  // namespace

Exported export_c(const Training& training, const ExportOptions& options) {
  ST_CHECK(options.type == "f32" || options.type == "q7" || options.type == "q15",
           "export c: expected type f32, q7 or q15, got '", options.type, "'");
  check_counts("export c", options);
  const Deployment d = read_training(training);
  const std::string& notation = d.model.notation;
  if (options.type == "f32") return export_program(training, options, notation, lower(d.model, d.kind));
  return export_program(training, options, notation, whole_numbers(d, options.type));
}

ExportedRtl export_rtl(const Training& training, const ExportOptions& options) {
  ST_CHECK(options.type == "q7" || options.type == "q15", "export rtl: expected type q7 or q15, got '",
           options.type, "'");
  check_counts("export rtl", options);
  const Deployment d = read_training(training);
  const FixedProgram program = whole_numbers(d, options.type);
  const RtlExport rtl = recorded(training, options, d.model.notation, program);
  ExportedRtl made;
  made.files = write_rtl(rtl);
  made.footprint = rtl_footprint(rtl);
  made.bits = rtl_bits(program);
  for (const auto& layer : program.layers) made.layers.push_back(layer.notation);
  made.input = rtl.scaling;
  made.decides = rtl.reading.decides();
  if (options.check > 0) made.check = compare(training, *training.data.test, program, options.check);
  return made;
}

void check_rounding(const Comparison& c) {
  const auto fail = [&](const auto&... words) {
    throw InternalError(__FILE__, __LINE__,
                        str("export c: the exported program is not the network: on ", c.samples, " samples ",
                            words..., "; nothing was written"));
  };
  for (const Agreement& layer : c.layers) {
    if (layer.different > std::max<int64_t>(10, layer.spikes / 100))
      fail("layer ", layer.layer, " fires at ", layer.different, " other places and steps, of ", layer.spikes,
           " spikes");
  }
  if (!(c.rounding <= 1e-3 * c.largest_output + 1e-6))
    fail("an output differs by ", c.rounding, ", where the largest is ", c.largest_output);
}

void write_files(const std::string& dir, const Files& files) {
  std::error_code error;
  for (const auto& [name, text] : files) {
    const std::filesystem::path path = std::filesystem::path(dir) / name;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) throw SystemError(path.parent_path().string(), "make the folder", error.value());
    write_file_atomic(path.string(), text);
  }
}

IntegerEvaluation evaluate_integer(const Training& training, const Dataset& data, int64_t batch,
                                   const std::string& type) {
  IntegerEvaluation e;
  const auto program =
      std::make_shared<const FixedProgram>(whole_numbers(read_training(training), type, &e.rounding));
  e.result = evaluate_program<Fixed>(training, data, batch, program);
  e.input_bits = program->input_bits();
  e.input_exponent = program->input_exponent;
  e.input = scaling(*program);
  return e;
}

}  // namespace spiketrain::deploy
