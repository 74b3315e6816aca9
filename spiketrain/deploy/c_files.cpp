// Everything of a C export but model.c: the header, the recorded samples, how it is built, and what it costs.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/c_export.h"

namespace spiketrain::deploy {
namespace {

const char* const kMakefile = R"(# The exported network and its test.
#   make test    here: recorded samples must give the recorded spikes and outputs
#   make arm     the same on a Cortex-M3 in QEMU (gcc-arm-none-eabi, libnewlib-arm-none-eabi, qemu-system-arm)
# Floating point: no fused multiply-adds, or the spikes may differ from the recorded ones.
CFLAGS ?= -O2
FLAGS = -std=c99 -Wall -Wextra -Wpedantic -ffp-contract=off
ARM = arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb

test: model_test
	./model_test

model_test: model_test.c model.c model.h
	$(CC) $(FLAGS) $(CFLAGS) -o $@ model_test.c model.c

arm: model_test.elf
	qemu-system-arm -M mps2-an385 -nographic -monitor none -serial none -semihosting -kernel model_test.elf

model_test.elf: model_test.c model.c model.h arm/startup.c arm/layout.ld
	$(ARM) $(FLAGS) $(CFLAGS) --specs=rdimon.specs -T arm/layout.ld -o $@ model_test.c model.c arm/startup.c

size: model.c model.h
	$(ARM) $(FLAGS) -Os -c -o model.o model.c
	arm-none-eabi-size model.o

clean:
	rm -f model_test model_test.elf model.o

.PHONY: test arm size clean
)";

const char* const kStartup =
    R"(/* Vectors of a Cortex-M for `make arm`: the C library's own start clears memory and calls main(). */
extern void _start(void);
extern void stack_top(void); /* an address, see layout.ld */

static void stop(void)
{
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
  stack_top, _start, stop, stop, stop, stop, stop, stop, stop, stop, stop, stop, stop, stop, stop, stop,
};
)";

const char* const kLayout =
    R"(/* Memory of QEMU's mps2-an385: code and constants in the first 4 MiB, the rest in the 4 MiB at 0x20000000. */
ENTRY(_start)
MEMORY
{
  code (rx) : ORIGIN = 0x00000000, LENGTH = 4M
  data (rwx) : ORIGIN = 0x20000000, LENGTH = 4M
}
SECTIONS
{
  .text : {
    KEEP(*(.vectors)) *(.text*) KEEP(*(.init)) KEEP(*(.fini)) *(.rodata*)
  } > code
  .ARM.exidx : { *(.ARM.exidx*) } > code
  .init_array : { KEEP(*(.preinit_array*)) KEEP(*(.init_array*)) KEEP(*(.fini_array*)) } > code
  .data : { *(.data*) } > data
  .bss : {
    __bss_start__ = .;
    *(.bss*) *(COMMON)
    __bss_end__ = .;
  } > data
  end = .;
  __end__ = .;
  stack_top = ORIGIN(data) + LENGTH(data);
  __stack = stack_top;
}
)";

const char* const kTestBody = R"(
static uint32_t crc_of(const model_site_t *sites, int32_t count)
{
  uint32_t crc = 0xFFFFFFFFU;
  int32_t i, bit;
  for (i = 0; i < count; ++i) {
    const uint32_t site = (uint32_t)sites[i];
    int32_t byte;
    for (byte = 0; byte < 4; ++byte) {
      crc ^= (site >> (8 * byte)) & 0xFFU;
      for (bit = 0; bit < 8; ++bit) {
        crc = (crc >> 1) ^ ((crc & 1U) != 0U ? 0xEDB88320U : 0U);
      }
    }
  }
  return ~crc;
}

static int check_step(int32_t sample, int32_t step, const expected_t *expected, const model_output_t *y,
                      const model_output_t *wanted)
{
  int layer, wrong = 0;
  int32_t i, count;
  for (layer = 0; layer < MODEL_LAYERS; ++layer) {
    const model_site_t *sites = model_spikes(layer, &count);
    if ((uint32_t)count != expected[layer].count || crc_of(sites, count) != expected[layer].crc) {
      printf("sample %ld, step %ld, layer %d: %ld spikes, expected %ld; or at other places\n", (long)sample, (long)step,
             layer, (long)count, (long)expected[layer].count);
      wrong = 1;
    }
  }
  for (i = 0; i < MODEL_OUTPUTS; ++i) {
    if (memcmp(&y[i], &wanted[i], sizeof(y[i])) != 0) {
      printf("sample %ld, step %ld, output %ld: %.9g, expected %.9g\n", (long)sample, (long)step, (long)i, (double)y[i],
             (double)wanted[i]);
      wrong = 1;
    }
  }
  return wrong;
}

int main(void)
{
  model_output_t y[MODEL_OUTPUTS];
  int32_t sample, step, at = 0, frame = 0;
  int wrong = 0;
  for (sample = 0; sample < SAMPLES; ++sample) {
    model_reset();
    for (step = 0; step < steps[sample]; ++step, ++at) {
      const int held = still[sample] != 0 && step > 0;
      model_step(held ? NULL : inputs[frame], y);
      if (!held) {
        ++frame;
      }
      wrong |= check_step(sample, step, expected[at], y, outputs[at]);
    }
)";
const char* const kTestDecision = R"(    if (model_decide() != decisions[sample]) {
      printf("sample %ld: decision %d, expected %ld\n", (long)sample, model_decide(), (long)decisions[sample]);
      wrong = 1;
    }
)";
const char* const kTestEnd = R"(  }
  printf(wrong ? "the program differs from what was recorded\n" : "%d samples, %ld steps: as recorded\n", SAMPLES, (long)at);
  return wrong;
}
)";

}  // namespace

template <class Math>
void record(Machine<Math>& machine, const Reading& reading, Recorded<Math>& sample) {
  using Evidence = std::conditional_t<Math::kFixed, int64_t, float>;
  const auto inputs = static_cast<size_t>(machine.inputs()), outputs = static_cast<size_t>(machine.outputs());
  std::vector<typename Math::Value> state(machine.state_size());
  machine.start(state.data());
  sample.y.resize(static_cast<size_t>(sample.steps) * outputs);
  std::vector<Evidence> evidence(outputs, 0);
  typename Machine<Math>::Trace trace;
  for (int64_t t = 0; t < sample.steps; ++t) {
    const bool held = sample.still && t > 0;
    const auto* x = sample.x.data() + (sample.still ? 0 : static_cast<size_t>(t) * inputs);
    auto* y = sample.y.data() + static_cast<size_t>(t) * outputs;
    machine.step(held ? nullptr : x, state.data(), y, trace);
    sample.spikes.push_back(trace.spikes);
    sample.additions.resize(trace.additions.size());
    for (size_t k = 0; k < trace.additions.size(); ++k) sample.additions[k] += trace.additions[k];
    if (t < reading.first) continue;
    for (size_t i = 0; i < outputs; ++i) {
      if (reading.prediction == Prediction::greatest_sum) {
        evidence[i] += y[i];
      } else if (t == reading.first || y[i] > evidence[i]) {
        evidence[i] = static_cast<Evidence>(y[i]);
      }
    }
  }
  sample.decision = static_cast<int>(std::max_element(evidence.begin(), evidence.end()) - evidence.begin());
}
template void record(Machine<Float>&, const Reading&, Recorded<Float>&);
template void record(Machine<Fixed>&, const Reading&, Recorded<Fixed>&);

uint32_t site_crc(const std::vector<int32_t>& sites) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const int32_t site : sites) {
    for (int byte = 0; byte < 4; ++byte) {
      crc ^= (static_cast<uint32_t>(site) >> (8 * byte)) & 0xFFU;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    }
  }
  return ~crc;
}

std::string c_comment(std::string text) {
  for (size_t at = text.find("*/"); at != std::string::npos; at = text.find("*/")) text.replace(at, 2, "* ");
  return text;
}
std::string c_number(float x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(x));
  std::string number = text;
  if (number.find_first_of(".e") == std::string::npos) number += ".0";
  return number + "f";
}
std::string c_number(int32_t x) { return x == INT32_MIN ? "(-2147483647 - 1)" : std::to_string(x); }
std::string c_number(int16_t x) { return std::to_string(x); }

template <class T>
std::string c_array(const T* x, size_t n) {
  std::string text = "{", line;
  for (size_t i = 0; i < n; ++i) {
    const std::string number = c_number(x[i]) + (i + 1 < n ? "," : "");
    if (line.size() + number.size() > 100) {
      text += "\n  " + line;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + number;
  }
  return text + (text.size() > 1 ? "\n  " : "") + line + "}";
}
template std::string c_array(const float*, size_t);
template std::string c_array(const int32_t*, size_t);
template std::string c_array(const int16_t*, size_t);

template <class Math>
std::string c_site(const Program<Math>& program) {
  int64_t most = 0;
  for (const auto& layer : program.layers) most = std::max(most, layer.out.size());
  return most <= 256 ? "uint8_t" : most <= 65536 ? "uint16_t" : "uint32_t";
}
template std::string c_site(const Program<Float>&);
template std::string c_site(const Program<Fixed>&);

std::string c_prediction(const Reading& reading) {
  const std::string steps = str("over the steps since model_reset()",
                                reading.first > 0 ? str(", the first ", reading.first, " left out") : "");
  switch (reading.prediction) {
    case Prediction::greatest_sum:
      return "The class: the output with the largest sum " + steps + "; of several the first";
    case Prediction::greatest_maximum:
      return "The class: the output with the largest value " + steps + "; of several the first";
    case Prediction::mean:
      return "The prediction is the mean of y " + steps;
    default:
      return "The prediction is y, step by step";
  }
}

template <class Math>
std::string c_header(const CExport<Math>& from) {
  const Program<Math>& program = *from.program;
  const bool real = program.kind == Input::real;
  std::string text = str(
      "/* ", c_comment(from.about),
      "\n * Written by Spiketrain; see README.md. */\n#ifndef MODEL_H\n#define MODEL_H\n\n#include <stdint.h>\n\n"
      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  text += str("#define MODEL_INPUTS ", program.input.size(), " /* ", program.input.channels, " x ",
              program.input.height, " x ", program.input.width, ": maps, rows, columns */\n");
  const Map out = program.layers.back().out;
  text += str("#define MODEL_OUTPUTS ", out.size(),
              out.height * out.width > 1 ? " /* rows, columns, maps */" : "", "\n#define MODEL_LAYERS ",
              program.layers.size(), "\n");
  if (Math::kFixed) {
    text += str("#define MODEL_INPUT_EXPONENT ", program.input_exponent,
                " /* an input stands for itself times 2^-exponent */\n");
    if (!program.takes_all())
      text += str("#define MODEL_INPUT_MAX ", program.input_max, " /* larger inputs are cut */\n");
    text += str("#define MODEL_OUTPUT_EXPONENT ", program.output_exponent,
                " /* an output stands for itself times 2^-exponent */\n");
  }
  text += str("\ntypedef ", real ? CTypes<Math>::kReal : "uint8_t", " model_input_t;\ntypedef ",
              CTypes<Math>::kValue, " model_output_t;\n");
  text += str("typedef ", c_site(program),
              " model_site_t; /* place of a neuron in its layer: rows, columns, maps */\n\n");
  text += "/* Before each sample. */\nvoid model_reset(void);\n";
  text +=
      "/* One step.  x [MODEL_INPUTS], or NULL: the input of the step before, whose product is not made again.  y [MODEL_OUTPUTS]. */\n"
      "void model_step(const model_input_t *x, model_output_t *y);\n";
  text += "/* " + c_prediction(from.reading) + ". */\n" +
          (from.reading.decides() ? "int model_decide(void);\n" : "");
  text +=
      "/* Who fired in the last step, ascending; for tests. */\nconst model_site_t *model_spikes(int layer, int32_t *count);\n\n"
      "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return text;
}
template std::string c_header(const CExport<Float>&);
template std::string c_header(const CExport<Fixed>&);

template <class Math>
std::string c_test(const CExport<Math>& from) {
  const auto inputs = static_cast<size_t>(from.program->input.size());
  const auto outputs = static_cast<size_t>(from.program->layers.back().out.size());
  std::string frames, expected, y, steps, still, decisions;
  size_t frame_count = 0, step_count = 0;
  const bool counts = from.program->kind == Input::counts;
  for (const auto& sample : from.samples) {
    const std::vector<int32_t> whole(sample.x.begin(), counts ? sample.x.end() : sample.x.begin());
    for (size_t n = 0; n * inputs < sample.x.size(); ++n, ++frame_count)
      frames += "  " +
                (counts ? c_array(whole.data() + n * inputs, inputs)
                        : c_array(sample.x.data() + n * inputs, inputs)) +
                ",\n";
    for (size_t t = 0; t < sample.spikes.size(); ++t, ++step_count) {
      expected += "  {";
      for (const auto& sites : sample.spikes[t])
        expected += str("{", sites.size(), "U, ", site_crc(sites), "U}, ");
      expected += "},\n";
      y += "  " + c_array(sample.y.data() + t * outputs, outputs) + ",\n";
    }
    steps += str(sample.steps, ", ");
    still += sample.still ? "1, " : "0, ";
    decisions += str(sample.decision, ", ");
  }
  std::string text =
      "/* Samples and what the network made of them, recorded when it was exported. */\n#include <stdio.h>\n#include <string.h>\n\n#include \"model.h\"\n\n";
  text +=
      str("#define SAMPLES ", from.samples.size(),
          "\n\ntypedef struct {\n  uint32_t count, crc; /* of the sites that fired */\n} expected_t;\n\n");
  text += "static const int32_t steps[SAMPLES] = {" + steps + "};\nstatic const int32_t still[SAMPLES] = {" +
          still + "};\n";
  const bool decides = from.reading.decides();
  if (decides) text += "static const int32_t decisions[SAMPLES] = {" + decisions + "};\n";
  text += str("static const model_input_t inputs[", frame_count, "][MODEL_INPUTS] = {\n", frames, "};\n");
  text += str("static const expected_t expected[", step_count, "][MODEL_LAYERS] = {\n", expected, "};\n");
  text += str("static const model_output_t outputs[", step_count, "][MODEL_OUTPUTS] = {\n", y, "};\n");
  return text + kTestBody + (decides ? kTestDecision : "") + kTestEnd;
}
template std::string c_test(const CExport<Float>&);
template std::string c_test(const CExport<Fixed>&);

Files c_build_files() {
  return {{"Makefile", kMakefile}, {"arm/startup.c", kStartup}, {"arm/layout.ld", kLayout}};
}

template <class Math>
Files write_c(const CExport<Math>& from) {
  Files files = {{"model.h", c_header(from)},
                 {"model.c", c_model(from)},
                 {"model_test.c", c_test(from)},
                 {"README.md", c_readme(from)}};
  for (auto& file : c_build_files()) files.push_back(std::move(file));
  return files;
}
template Files write_c(const CExport<Float>&);
template Files write_c(const CExport<Fixed>&);

}  // namespace spiketrain::deploy
