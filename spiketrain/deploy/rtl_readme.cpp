// README.md and Makefile of a network in SystemVerilog.
#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"
#include "spiketrain/deploy/rtl_neurons_text.h"
#include "spiketrain/deploy/rtl_text.h"

namespace spiketrain::deploy {
namespace {

const char* const kRtlMakefile = R"(# The exported network, its test and its synthesis.
#   make icarus      runs the recorded samples in Icarus Verilog; make icarus STALL=1: both sides wait at random
#   make verilator   the same in Verilator, faster for many samples
#   make lint        Verilator's warnings
#   make ice40       cells of a Lattice iCE40, from yosys; make ecp5, make xilinx: others
#   make netlist     runs the samples in what yosys made for the iCE40 (Icarus Verilog)
#   make timing      place and route for an iCE40 HX8K by nextpnr-ice40, asked for CLOCK MHz: does it fit, and how fast
# Debian's packages: iverilog, verilator, yosys, nextpnr-ice40.
STALL = 0
CLOCK = 50
SOURCES = spike_parts.sv spike_sums.sv spike_neurons.sv spike_decision.sv model.sv
ALL = $(SOURCES) $(wildcard mem/*.mem)
CELLS = $(dir $(shell which yosys))../share/yosys/ice40/cells_sim.v
READ = read_verilog -defer -sv $(SOURCES)

icarus: model.vvp
	vvp -n model.vvp

model.vvp: $(SOURCES) model_tb.sv FORCE
	iverilog -g2012 -Pmodel_tb.STALL=$(STALL) -s model_tb -o $@ $(SOURCES) model_tb.sv

verilator: $(SOURCES) model_tb.sv
	verilator --binary --timing -O3 -Wno-WIDTH -Wno-UNSIGNED -GSTALL=$(STALL) --top-module model_tb -Mdir obj_$(STALL) $(SOURCES) model_tb.sv > /dev/null
	obj_$(STALL)/Vmodel_tb

lint: $(SOURCES)
	verilator --lint-only -Wall -Wno-UNUSED -Wno-DECLFILENAME -Wno-UNSIGNED --top-module model $(SOURCES)

ice40: ice40.txt
	tail -n 40 $<
ecp5: ecp5.txt
	tail -n 40 $<
xilinx: xilinx.txt
	tail -n 40 $<

ice40.txt ice40.json: $(ALL)
	yosys -q -p '$(READ); synth_ice40 -top model -json ice40.json; tee -o ice40.txt stat'
ecp5.txt: $(ALL)
	yosys -q -p '$(READ); synth_ecp5 -top model; tee -o ecp5.txt stat'
xilinx.txt: $(ALL)
	yosys -q -p '$(READ); synth_xilinx -family xc7 -top model; tee -o xilinx.txt stat'

netlist: ice40.json model_tb.sv
	yosys -q -p 'read_json ice40.json; write_verilog -noattr netlist.v'
	iverilog -g2012 -DNO_ICE40_DEFAULT_ASSIGNMENTS -Pmodel_tb.STALL=$(STALL) -s model_tb -o netlist.vvp $(CELLS) netlist.v model_tb.sv
	vvp -n netlist.vvp

# Pins are free: the clock's maximum is that of the logic.
timing: ice40.json
	nextpnr-ice40 --hx8k --package ct256 --pcf-allow-unconstrained --timing-allow-fail --freq $(CLOCK) --seed 1 --json ice40.json --asc model.asc --log timing.txt -q
	grep -E 'Max frequency|ICESTORM_(LC|RAM)' timing.txt

clean:
	rm -rf model.vvp netlist.v netlist.vvp obj_0 obj_1 ice40.txt ice40.json ecp5.txt xilinx.txt model.asc timing.txt

FORCE:
.PHONY: icarus verilator lint ice40 ecp5 xilinx netlist timing clean FORCE
)";

std::string rounded(double x) { return std::to_string(static_cast<int64_t>(x + 0.5)); }

/// What is predicted, in words.
std::string prediction(const Reading& reading) {
  const std::string steps = str("over the sample's steps",
                                reading.first > 0 ? str(", the first ", reading.first, " left out") : "");
  switch (reading.prediction) {
    case Prediction::greatest_sum:
      return "The class is the output with the greatest sum " + steps + "; of several the first";
    case Prediction::greatest_maximum:
      return "The class is the output with the greatest value " + steps + "; of several the first";
    case Prediction::mean:
      return "The prediction, the mean of the outputs " + steps + ", is left to who reads them";
    default:
      return "The prediction is the outputs, step by step";
  }
}

std::string input_text(const RtlExport& from) {
  const FixedProgram& program = *from.program;
  std::string text =
      "## Input and output\n\nOne event a handshake (`in_valid` and `in_ready` in the same cycle): a place of the input that is not zero, "
      "`in_channel`, `in_row`, `in_column`";
  text += program.kind == Input::counts
              ? str(", once for each spike, and no more than ", program.input_max, " times in a step.  ")
              : str(", and its value `in_value`, each place at most once in a step; values beyond ",
                    program.input_max, " are cut.  ");
  text +=
      "After the events of a step comes an item with `in_end`: with `in_last` it is the sample's last step, with `in_keep` the next step has the "
      "same input, whose events are then not sent again.  All inputs are ignored while `rst` is high, one cycle at the start is enough.\n\n";
  text +=
      "The last layer sends an item for each of its neurons and step, `out_value` and `out_fired`, then one with `out_end`; `out_last` marks the items "
      "of a sample's last step.  An output stands for `out_value` times 2^-";
  text += str(program.output_exponent, ".  ");
  text +=
      from.reading.decides()
          ? "`class_valid` is high for one cycle after the last item of a sample, with the class in `class_index`"
            ", which stays.  "
          : "";
  return text + prediction(from.reading) + ".  " + from.scaling + ".\n\n";
}

std::string layer_table(const RtlExport& from) {
  const FixedProgram& program = *from.program;
  const auto bits = rtl_bits(program);
  std::string text =
      "## Widths\n\n| layer | neurons | bits of weights | of sums | of membranes |\n|---|---|---|---|---|\n";
  for (size_t k = 0; k < program.layers.size(); ++k) {
    std::string weights, sums;
    for (const RtlProductBits& product : bits[k].products) {
      weights += str(weights.empty() ? "" : ", ", product.weight);
      sums += str(sums.empty() ? "" : ", ", product.sum);
    }
    text += str("| ", program.layers[k].notation, " | ", program.layers[k].out.size(), " | ", weights, " | ",
                sums, " | ", bits[k].membrane, bits[k].saturates ? ", saturating" : "", " |\n");
  }
  return text +
         "\nNo sum can leave its bits, whatever the input within the limits above, and no membrane but where it says `saturating`: there "
         "additions that would leave 32 bits are cut, as the integer reference does.\n";
}

}  // namespace

std::string rtl_makefile() { return kRtlMakefile; }

std::string rtl_readme(const RtlExport& from) {
  const RtlFootprint f = rtl_footprint(from);
  std::string text = str("# ", from.program->notation, "\n\n", from.about, ": SystemVerilog.\n\n");
  text +=
      "    make icarus      simulates the recorded samples: every spike, output and decision must be as recorded\n"
      "    make verilator   the same, faster\n    make ice40       logic cells and memories (also ecp5, xilinx)\n"
      "    make netlist     simulates what synthesis made for the iCE40\n"
      "    make timing      place and route for an iCE40 HX8K\n\n";
  text +=
      "For a design take `model.sv`, `spike_*.sv` and `mem/` (memories are read from there, relative to where the tool runs).  The top module is "
      "`model`.  Every number equals that of `spiketrain eval --integer`.\n\n";
  text += input_text(from);
  text += str("## What it takes\n\n| | |\n|---|---|\n| weights | ", f.weight_bits, " bits |\n| sums | ",
              f.sum_bits, " bits |\n| membranes and what else stays | ", f.state_bits,
              " bits |\n| coefficients that differ | ", f.coefficient_bits, " bits |\n");
  text +=
      str("| events that layers take, a sample | ", rounded(f.events), " |\n| cycles a sample, at most | ",
          rounded(f.most_cycles), " on the mean of the recorded samples, ", f.sample_cycles, " of one |\n\n");
  text +=
      "An event takes two cycles and one for each weight that it adds, in a convolution one more for each place of the kernel; a step takes a "
      "cycle for each neuron and some 16.  Layers work at the same time on different steps, so a sample takes less than the sum; the simulation "
      "prints what it took.  Places that are zero and neurons that do not fire cost nothing.\n\n";
  return text + layer_table(from);
}

Files write_rtl(const RtlExport& from) {
  Files files = {{"model.sv", rtl_model(from)},
                 {"spike_parts.sv", rtl_text::kParts},
                 {"spike_sums.sv", rtl_text::kSums},
                 {"spike_neurons.sv", rtl_text::kNeurons},
                 {"spike_decision.sv", rtl_text::kDecision},
                 {"model_tb.sv", rtl_bench(from)},
                 {"Makefile", rtl_makefile()},
                 {"README.md", rtl_readme(from)}};
  for (const Files& memories : {rtl_memories(*from.program), rtl_bench_memories(from)})
    files.insert(files.end(), memories.begin(), memories.end());
  return files;
}

}  // namespace spiketrain::deploy
