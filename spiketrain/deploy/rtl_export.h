// A program in integers as SystemVerilog for FPGAs: every number equals Machine<Fixed>.
//   model.sv              layers chained by streams of events: each adds the weights of an event to its sums, one a cycle, and after the
//                         step's end updates its neurons, one a cycle; layers work on different steps at the same time
//   spike_*.sv            what model.sv is made of, the same for every network
//   mem/*.mem             weights and coefficients, with as many bits as they need
//   model_tb.sv, mem/tb_* a test bench with recorded samples, the spikes of each layer and step, the outputs, the decisions
//   Makefile, README.md
// Widths are proven for every input that keeps to input_max, see rtl_bits().  Without LibTorch.  Tests: deploy/rtl_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/deploy/c_export.h"

namespace spiketrain::deploy {

/// What is exported: as for C.
using RtlExport = CExport<Fixed>;

/// A product's weights without the zeros at the end of all of them, as those have that were trained with few bits.
struct RtlProduct {
  std::vector<int64_t> weight;
  int exponent = 0;  ///< a weight w stands for w 2^-exponent
  int shift = 0;     ///< from a sum to the membrane's scale, to the left if positive
};
RtlProduct rtl_product(const ProgramProduct<Fixed>& product);

/// Bits of a product's weights and sums.
struct RtlProductBits {
  int weight = 0, sum = 0;
};
struct RtlLayerBits {
  std::vector<RtlProductBits> products;
  int membrane = 32;      ///< of currents, membranes and what is compared with them
  bool saturates = true;  ///< whether sums of these may reach 32 bits and are cut there, as in the program
  int value = 2;          ///< of the last layer's outputs
};
/// Two's complement bits of a range, at least 2.
int bits_for(int64_t least, int64_t most);
/// The fewest bits with which nothing can overflow that would not saturate in the program.  Sums: the worst inputs.  Membranes: the
/// smallest range that a step cannot leave, whatever the sums; where 32 bits have no such range, adders of 32 bits that saturate.
/// UsageError, with the layer's name, if a sum, a current or an output may need more than 32 bits, or if a factor is beyond one.
std::vector<RtlLayerBits> rtl_bits(const FixedProgram& program);

struct RtlFootprint {
  int64_t weight_bits = 0, sum_bits = 0, state_bits = 0, coefficient_bits = 0;  ///< of memories
  double events =
      0;  ///< events that layers take per sample, those of the input too, mean over the recorded samples
  double most_cycles =
      0;  ///< cycles per sample if no two layers worked at the same time, mean over the recorded samples
  int64_t sample_cycles = 0;  ///< the same, of the sample that takes most
};
RtlFootprint rtl_footprint(const RtlExport& from);

/// UsageError of rtl_bits().
Files write_rtl(const RtlExport& from);

// Its parts.
std::string rtl_model(const RtlExport& from);
std::string rtl_bench(const RtlExport& from);
std::string rtl_readme(const RtlExport& from);
std::string rtl_makefile();
/// Memories of the network, and of the test bench.
Files rtl_memories(const FixedProgram&program), rtl_bench_memories(const RtlExport&from);

/// Bits that count to n - 1, at least 1.
int count_bits(int64_t n);
/// Numbers as lines of hexadecimal digits.
std::string rtl_words(const std::vector<int64_t>& x, int bits);

/// A place of maps, or the end of a step, as it travels between layers.
struct RtlStream {
  int channel = 1, row = 1, column = 1;  ///< bits
  explicit RtlStream(const Map& map);
  int place() const { return channel + row + column; }
};
/// Of the network's input: bits of a value, 0 where an event is one spike.
int rtl_input_bits(const FixedProgram& program);

/// A coefficient: a number where all neurons have the same, else a memory with one for each channel or neuron.
struct RtlCoefficient {
  const char* name;        ///< of the parameter, without its S
  std::vector<int64_t> x;  ///< one, or the memory
  int bits = 0;            ///< 0: those of the membrane
};
/// Those that a layer uses.  `start`: after its leak.
std::vector<RtlCoefficient> rtl_coefficients(const ProgramLayer<Fixed>& layer);

}  // namespace spiketrain::deploy
