// SystemVerilog that every export shares: the neurons of a layer.  See rtl_export.h.
#pragma once

namespace spiketrain::deploy::rtl_text {

constexpr const char* kNeurons =
    R"sv(// Neurons of a layer, one after the other: one enters the pipeline each cycle, unless a spike waits for who takes it.
//   current  I = sum 2^SHIFT (+ own sum 2^OWN_SHIFT, of the layer's spikes one step before)
//   filter   g = K_CURRENT g + I takes the place of I
//   bias     I = I + bias
//   membrane u = carried + I
//   fire     s = u >= threshold (STRICT: >);  v = u, after a spike with RESET 1 u - drop, with RESET 3 v_reset
//   leak     carried = leak v, after a spike with RESET 2 less drop
// A product with a factor k is k v / 2^15 to the nearest.  See spike_decay, spike_add.
module spike_neurons #(
  parameter int CHANNELS = 1, WIDTH = 1, SITES = 1,
  parameter int CHANNEL_BITS = 1, ROW_BITS = 1, COLUMN_BITS = 1, SITE_BITS = 1,
  parameter int SUM_BITS = 16, SHIFT = 0, OWN_BITS = 1, OWN_SHIFT = 0, MEMBRANE_BITS = 32,
  parameter bit SATURATE = 1, RECURRENT = 0, FILTERED = 0, SPIKING = 1, STRICT = 0,
  parameter int K_CURRENT = 0,
  parameter int RESET = 0,  // 0 none, 1 soft_decayed, 2 soft, 3 hard
  // Coefficients: a number, or COUNT, one for each channel or neuron, in a file.
  parameter int BIAS_COUNT = 1, BIAS = 0, LEAK_COUNT = 1, LEAK = 0, THRESHOLD_COUNT = 1, THRESHOLD = 0,
  parameter int DROP_COUNT = 1, DROP = 0, V_RESET_COUNT = 1, V_RESET = 0, START_COUNT = 1, START = 0,
  parameter BIAS_FILE = "", LEAK_FILE = "", THRESHOLD_FILE = "",
  parameter DROP_FILE = "", V_RESET_FILE = "", START_FILE = "",
  // What leaves: the spikes, or, OUTPUT, a value of each neuron: u if nothing spikes, else the spike, or OUTPUT_FILTERED its filtered sum.
  parameter bit OUTPUT = 0, OUTPUT_FILTERED = 0,
  parameter int K_OUTPUT = 0, OUTPUT_STEP = 0, VALUE_BITS = 2
) (
  input  logic clk, rst,
  input  logic full, last, own_full,
  output logic read, clear, next,
  output logic [SITE_BITS-1:0] at, clear_at,
  input  logic signed [SUM_BITS-1:0] sum,
  input  logic signed [OWN_BITS-1:0] own_sum,
  output logic out_valid,
  input  logic out_ready,
  output logic out_end, out_last,
  output logic [CHANNEL_BITS-1:0] out_channel,
  output logic [ROW_BITS-1:0] out_row,
  output logic [COLUMN_BITS-1:0] out_column,
  output logic out_fired,
  output logic signed [VALUE_BITS-1:0] out_value
);
  localparam int M = MEMBRANE_BITS;
  // What goes along the pipeline: the place of a neuron, or the end of the step.
  localparam int PLACE = 1 + ROW_BITS + COLUMN_BITS + CHANNEL_BITS;

  // Counters.
  typedef enum logic [1:0] {IDLE, NEURONS, END, FLUSH} state_t;
  state_t state;
  logic fresh;  // the first step of a sample
  logic [SITE_BITS-1:0] site;
  logic [CHANNEL_BITS-1:0] channel;
  logic [ROW_BITS-1:0] row;
  logic [COLUMN_BITS-1:0] column;
  wire advance = !out_valid || out_ready;
  wire end_leaves = out_valid && out_ready && out_end;

  always_ff @(posedge clk) begin
    if (rst) begin
      state <= IDLE;
      fresh <= 1;
      out_last <= 0;
    end else begin
      case (state)
        IDLE: if (full && (!RECURRENT || own_full)) begin
          state <= NEURONS;
          out_last <= last;
          site <= 0;
          channel <= 0;
          row <= 0;
          column <= 0;
        end
        NEURONS: if (advance) begin
          if (32'(site) == SITES - 1) state <= END;
          site <= site + 1'b1;
          channel <= channel + 1'b1;
          if (32'(channel) == CHANNELS - 1) begin
            channel <= 0;
            column <= column + 1'b1;
            if (32'(column) == WIDTH - 1) begin
              column <= 0;
              row <= row + 1'b1;
            end
          end
        end
        END: if (advance) state <= FLUSH;
        default: if (end_leaves) begin
          state <= IDLE;
          fresh <= out_last;
        end
      endcase
    end
  end

  // Stages 1 to 7; who is in them.
  logic valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, valid_7;
  logic [PLACE-1:0] place_1, place_2, place_3, place_4, place_5, place_6, place_7;
  logic [SITE_BITS-1:0] site_1, site_2, site_3, site_4, site_5, site_6, site_7;
  always_ff @(posedge clk) begin
    if (rst) begin
      {valid_1, valid_2, valid_3, valid_4, valid_5, valid_6, valid_7} <= 0;
    end else if (advance) begin
      valid_1 <= state == NEURONS || state == END;
      {valid_2, valid_3, valid_4, valid_5, valid_6, valid_7} <= {valid_1, valid_2, valid_3, valid_4, valid_5, valid_6};
    end
    if (advance) begin
      place_1 <= {state == END, row, column, channel};
      {place_2, place_3, place_4, place_5, place_6, place_7} <= {place_1, place_2, place_3, place_4, place_5, place_6};
      site_1 <= site;
      {site_2, site_3, site_4, site_5, site_6, site_7} <= {site_1, site_2, site_3, site_4, site_5, site_6};
    end
  end
  wire neuron_1 = valid_1 && !place_1[PLACE-1], neuron_2 = valid_2 && !place_2[PLACE-1];
  wire neuron_7 = valid_7 && !place_7[PLACE-1];

  // 1: sums become currents.
  assign read = advance;
  assign at = site;
  assign clear = advance && neuron_1;
  assign clear_at = site_1;
  assign next = advance && valid_1 && place_1[PLACE-1];
  logic signed [M-1:0] input_1, current_1, current_2;
  spike_scale #(.IN_BITS(SUM_BITS), .OUT_BITS(M), .SHIFT(SHIFT)) scale (.x(sum), .y(input_1));
  generate
    if (RECURRENT) begin : own
      logic signed [M-1:0] scaled;
      spike_scale #(.IN_BITS(OWN_BITS), .OUT_BITS(M), .SHIFT(OWN_SHIFT)) scale_own (.x(fresh ? OWN_BITS'(0) : own_sum), .y(scaled));
      spike_add #(.BITS(M), .SATURATE(SATURATE)) add (.a(input_1), .b(scaled), .y(current_1));
    end else begin : not_own
      assign current_1 = input_1;
    end
  endgenerate
  always_ff @(posedge clk) if (advance) current_2 <= current_1;

  // 2: the filter.
  logic signed [M-1:0] filtered_2, current_3;
  generate
    if (FILTERED) begin : filter
      logic signed [M-1:0] stored [0:SITES-1];
      logic signed [M-1:0] stored_2, decayed;
      always_ff @(posedge clk) if (advance) stored_2 <= stored[site_1];
      always_ff @(posedge clk) if (advance && neuron_2) stored[site_2] <= filtered_2;
      spike_decay #(.BITS(M)) decay (.k(17'(K_CURRENT)), .x(fresh ? M'(0) : stored_2), .y(decayed));
      spike_add #(.BITS(M), .SATURATE(SATURATE)) add (.a(decayed), .b(current_2), .y(filtered_2));
    end else begin : not_filtered
      assign filtered_2 = current_2;
    end
  endgenerate
  always_ff @(posedge clk) if (advance) current_3 <= filtered_2;

  // 3: the bias.
  logic signed [M-1:0] bias_3, biased_3, current_4;
  wire [CHANNEL_BITS-1:0] channel_2 = place_2[CHANNEL_BITS-1:0], channel_3 = place_3[CHANNEL_BITS-1:0];
  wire [CHANNEL_BITS-1:0] channel_4 = place_4[CHANNEL_BITS-1:0], channel_5 = place_5[CHANNEL_BITS-1:0];
  spike_coefficient #(.BITS(M), .COUNT(BIAS_COUNT), .AT_BITS(SITE_BITS), .VALUE(BIAS), .FILE(BIAS_FILE)) bias
      (.clk, .read(advance), .at(BIAS_COUNT == SITES ? site_2 : SITE_BITS'(channel_2)), .value(bias_3));
  spike_add #(.BITS(M), .SATURATE(SATURATE)) add_bias (.a(current_3), .b(bias_3), .y(biased_3));
  always_ff @(posedge clk) if (advance) current_4 <= biased_3;

  // 4: the membrane.
  logic signed [M-1:0] carried [0:SITES-1];
  logic signed [M-1:0] start_4, carried_4, u_4, u_5;
  always_ff @(posedge clk) if (advance) carried_4 <= carried[site_3];
  spike_coefficient #(.BITS(M), .COUNT(START_COUNT), .AT_BITS(SITE_BITS), .VALUE(START), .FILE(START_FILE)) start
      (.clk, .read(advance), .at(START_COUNT == SITES ? site_3 : SITE_BITS'(channel_3)), .value(start_4));
  spike_add #(.BITS(M), .SATURATE(SATURATE)) add_membrane (.a(fresh ? start_4 : carried_4), .b(current_4), .y(u_4));
  always_ff @(posedge clk) if (advance) u_5 <= u_4;

  // 5: spike and reset.
  logic signed [M-1:0] threshold_5, v_reset_5, drop_5, less_5, v_6, u_6, drop_6;
  logic fired_6;
  spike_coefficient #(.BITS(M), .COUNT(THRESHOLD_COUNT), .AT_BITS(SITE_BITS), .VALUE(THRESHOLD), .FILE(THRESHOLD_FILE)) threshold
      (.clk, .read(advance), .at(THRESHOLD_COUNT == SITES ? site_4 : SITE_BITS'(channel_4)), .value(threshold_5));
  spike_coefficient #(.BITS(M), .COUNT(V_RESET_COUNT), .AT_BITS(SITE_BITS), .VALUE(V_RESET), .FILE(V_RESET_FILE)) v_reset
      (.clk, .read(advance), .at(V_RESET_COUNT == SITES ? site_4 : SITE_BITS'(channel_4)), .value(v_reset_5));
  spike_coefficient #(.BITS(M), .COUNT(DROP_COUNT), .AT_BITS(SITE_BITS), .VALUE(DROP), .FILE(DROP_FILE)) drop
      (.clk, .read(advance), .at(DROP_COUNT == SITES ? site_4 : SITE_BITS'(channel_4)), .value(drop_5));
  spike_add #(.BITS(M), .SUBTRACT(1), .SATURATE(SATURATE)) lower (.a(u_5), .b(drop_5), .y(less_5));
  wire fired_5 = SPIKING && (STRICT ? u_5 > threshold_5 : u_5 >= threshold_5);
  always_ff @(posedge clk) if (advance) begin
    v_6 <= fired_5 && RESET == 1 ? less_5 : fired_5 && RESET == 3 ? v_reset_5 : u_5;
    u_6 <= u_5;
    fired_6 <= fired_5;
    drop_6 <= drop_5;
  end

  // 6: the leak.
  logic signed [16:0] leak_6;
  logic signed [M-1:0] decayed_6, decayed_7, u_7, drop_7;
  logic fired_7;
  spike_coefficient #(.BITS(17), .COUNT(LEAK_COUNT), .AT_BITS(SITE_BITS), .VALUE(LEAK), .FILE(LEAK_FILE)) leak
      (.clk, .read(advance), .at(LEAK_COUNT == SITES ? site_5 : SITE_BITS'(channel_5)), .value(leak_6));
  spike_decay #(.BITS(M)) decay (.k(leak_6), .x(v_6), .y(decayed_6));
  always_ff @(posedge clk) if (advance) begin
    decayed_7 <= decayed_6;
    u_7 <= u_6;
    fired_7 <= fired_6;
    drop_7 <= drop_6;
  end

  // 7: what stays, and what leaves.
  logic signed [M-1:0] soft_7;
  spike_add #(.BITS(M), .SUBTRACT(1), .SATURATE(SATURATE)) lower_soft (.a(decayed_7), .b(drop_7), .y(soft_7));
  wire signed [M-1:0] stays_7 = fired_7 && RESET == 2 ? soft_7 : decayed_7;
  always_ff @(posedge clk) if (advance && neuron_7) carried[site_7] <= stays_7;

  logic signed [VALUE_BITS-1:0] value_7;
  generate
    if (OUTPUT && OUTPUT_FILTERED) begin : output_filter
      logic signed [VALUE_BITS-1:0] stored [0:SITES-1];
      logic signed [VALUE_BITS-1:0] stored_7, faded;
      always_ff @(posedge clk) if (advance) stored_7 <= stored[site_6];
      always_ff @(posedge clk) if (advance && neuron_7) stored[site_7] <= value_7;
      spike_decay #(.BITS(VALUE_BITS)) fade (.k(17'(K_OUTPUT)), .x(fresh ? VALUE_BITS'(0) : stored_7), .y(faded));
      assign value_7 = fired_7 ? faded + VALUE_BITS'(OUTPUT_STEP) : faded;
    end else if (OUTPUT && !SPIKING) begin : membrane
      assign value_7 = VALUE_BITS'(u_7);
    end else begin : spike
      assign value_7 = VALUE_BITS'({1'b0, fired_7});
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 0;
    else if (advance) out_valid <= valid_7 && (OUTPUT || place_7[PLACE-1] || fired_7);
    if (advance) begin
      {out_end, out_row, out_column, out_channel} <= place_7;
      out_fired <= fired_7;
      out_value <= value_7;
    end
  end
endmodule
)sv";

}  // namespace spiketrain::deploy::rtl_text
