// SystemVerilog that every export shares: sums of weights, small parts, the decision.  See rtl_export.h.
#pragma once

namespace spiketrain::deploy::rtl_text {

constexpr const char* kParts =
    R"sv(// A coefficient of neurons: one number, or one per place in a memory that is read one cycle after `at`.
module spike_coefficient #(
  parameter int BITS = 32, COUNT = 1, AT_BITS = 1, VALUE = 0,
  parameter FILE = ""
) (
  input  logic clk, read,
  input  logic [AT_BITS-1:0] at,
  output logic signed [BITS-1:0] value
);
  generate
    if (COUNT == 1) begin : number
      assign value = BITS'(VALUE);
    end else begin : numbers
      localparam int USED = $clog2(COUNT);
      logic signed [BITS-1:0] values [0:COUNT-1];
      initial $readmemh(FILE, values);
      always_ff @(posedge clk) if (read) value <= values[at[USED-1:0]];
    end
  endgenerate
endmodule

// x 2^SHIFT, rounded to the nearest, halves away from zero, if SHIFT is negative.
module spike_scale #(
  parameter int IN_BITS = 16, OUT_BITS = 32, SHIFT = 0
) (
  input  logic signed [IN_BITS-1:0] x,
  output logic signed [OUT_BITS-1:0] y
);
  generate
    if (SHIFT >= 0) begin : up
      assign y = OUT_BITS'(x) <<< SHIFT;
    end else begin : down
      localparam int BITS = (IN_BITS > -SHIFT ? IN_BITS : -SHIFT) + 2;
      wire signed [BITS-1:0] half = BITS'(1) <<< (-SHIFT - 1);
      wire signed [BITS-1:0] moved = BITS'(x) + half - BITS'({1'b0, x[IN_BITS-1]});
      assign y = OUT_BITS'(moved >>> -SHIFT);
    end
  endgenerate
endmodule

// k x / 2^15, rounded to the nearest, halves away from zero; k within -2^15 and 2^15.
module spike_decay #(
  parameter int BITS = 32
) (
  input  logic signed [16:0] k,
  input  logic signed [BITS-1:0] x,
  output logic signed [BITS-1:0] y
);
  wire signed [BITS+16:0] product = k * x;
  wire signed [BITS+16:0] moved = product + (BITS+17)'(16384) - (BITS+17)'({1'b0, product[BITS+16]});
  assign y = moved[15 +: BITS];
endmodule

// a + b, or a - b; SATURATE: cut to the bits, else known to fit.
module spike_add #(
  parameter int BITS = 32,
  parameter bit SUBTRACT = 0, SATURATE = 0
) (
  input  logic signed [BITS-1:0] a, b,
  output logic signed [BITS-1:0] y
);
  wire signed [BITS:0] sum = SUBTRACT ? (BITS+1)'(a) - (BITS+1)'(b) : (BITS+1)'(a) + (BITS+1)'(b);
  wire over = sum[BITS] != sum[BITS-1];
  assign y = SATURATE && over ? {sum[BITS], {(BITS-1){!sum[BITS]}}} : sum[BITS-1:0];
endmodule

// Spikes of a recurrent layer, held until its sums of the next step take them.  Begins with the end of a step in which nothing fired.
module spike_list #(
  parameter int BITS = 1, DEPTH = 2, AT_BITS = 1
) (
  input  logic clk, rst,
  input  logic in_valid,
  input  logic [BITS-1:0] in_event,
  output logic out_valid, out_first,
  input  logic out_ready,
  output logic [BITS-1:0] out_event
);
  // One place more than a step's spikes and its end: never full, as all are taken before the neurons' next step.
  logic [BITS-1:0] events [0:DEPTH-1];
  logic [AT_BITS-1:0] in_at, out_at;
  wire some = in_at != out_at;
  wire fetch = some && !out_first && (!out_valid || out_ready);
  always_ff @(posedge clk) begin
    if (in_valid) events[in_at] <= in_event;
    if (fetch) out_event <= events[out_at];
    if (rst) begin
      in_at <= 0;
      out_at <= 0;
      out_valid <= 1;
      out_first <= 1;
    end else begin
      if (in_valid) in_at <= 32'(in_at) == DEPTH - 1 ? '0 : in_at + 1'b1;
      if (fetch) out_at <= 32'(out_at) == DEPTH - 1 ? '0 : out_at + 1'b1;
      if (fetch) out_valid <= 1;
      else if (out_ready) out_valid <= 0;
      if (out_valid && out_ready) out_first <= 0;
    end
  end
endmodule
)sv";

constexpr const char* kSums =
    R"sv(// Sums of weights: one product of a layer.  Each event of a step adds the weights that its place has, one weight a cycle; after the step's end
// the sums are read and cleared.  An event takes 2 cycles and one for each weight; before a convolution one more for each place of the kernel.
module spike_sums #(
  // The source's maps, and the sums over windows of them that the product reads.
  parameter int CHANNEL_BITS = 1, ROW_BITS = 1, COLUMN_BITS = 1,
  parameter int CHANNELS = 1, WINDOW = 1, HEIGHT = 1, WIDTH = 1,
  parameter bit CONV = 0,
  parameter int KERNEL = 1, STRIDE = 1, PADDING = 0, PLACE_BITS = 2,
  parameter int OUT_HEIGHT = 1, OUT_WIDTH = 1, FEATURES = 1, FEATURE_BITS = 1, SITES = 1, SITE_BITS = 1,
  parameter int WEIGHTS = 1, WEIGHT_BITS = 8, WEIGHT_AT_BITS = 1, SUM_BITS = 16,
  parameter int VALUE_BITS = 2, VALUE_MAX = 1,
  parameter WEIGHT_FILE = ""
) (
  input  logic clk, rst,
  // Events, and the end of each step: `keep`: the sums stay for the step that follows; `last`: it ends the sample.
  input  logic in_valid,
  output logic in_ready,
  input  logic in_end, in_keep, in_last,
  input  logic [CHANNEL_BITS-1:0] in_channel,
  input  logic [ROW_BITS-1:0] in_row,
  input  logic [COLUMN_BITS-1:0] in_column,
  input  logic signed [VALUE_BITS-1:0] in_value,
  // Sums for the neurons: those of `at` one cycle later if `read`; `clear` sets those of `clear_at` to zero; `next` frees them.
  output logic full,
  output logic last,
  input  logic read, clear, next,
  input  logic [SITE_BITS-1:0] at, clear_at,
  output logic signed [SUM_BITS-1:0] sum
);
  typedef enum logic [2:0] {CLEAR, WAIT, LOCATE, SEEK, ADD, DRAIN, FULL} state_t;
  state_t state;

  logic [CHANNEL_BITS-1:0] channel;
  logic [ROW_BITS-1:0] row;
  logic [COLUMN_BITS-1:0] column;
  logic signed [VALUE_BITS-1:0] value;
  logic keep;
  logic [WEIGHT_AT_BITS-1:0] weight_at;
  logic [SITE_BITS-1:0] sum_at;
  logic [FEATURE_BITS-1:0] feature;

  // The place of the window that holds the event.
  wire [ROW_BITS:0] in_window_row = {1'b0, in_row} / (ROW_BITS+1)'(WINDOW);
  wire [COLUMN_BITS:0] in_window_column = {1'b0, in_column} / (COLUMN_BITS+1)'(WINDOW);
  wire outside = 32'(row) >= HEIGHT || 32'(column) >= WIDTH || 32'(channel) >= CHANNELS;

  // Events beyond the range are cut.
  localparam logic signed [VALUE_BITS-1:0] MOST = VALUE_BITS'(VALUE_MAX), LEAST = -MOST;
  wire signed [VALUE_BITS-1:0] in_cut = in_value > MOST ? MOST : in_value < LEAST ? LEAST : in_value;

  // Where the event's weights begin.
  wire [WEIGHT_AT_BITS-1:0] first_weight = WEIGHT_AT_BITS'(CONV
      ? 32'(channel) * (KERNEL * KERNEL * FEATURES)
      : ((32'(row) * WIDTH + 32'(column)) * CHANNELS + 32'(channel)) * FEATURES);

  // Convolution: which output place the kernel's place (tap_row, tap_column) joins with the event's.
  logic [PLACE_BITS-1:0] tap_row, tap_column;
  wire last_tap = 32'(tap_row) == KERNEL - 1 && 32'(tap_column) == KERNEL - 1;
  wire [PLACE_BITS-1:0] to_row = PLACE_BITS'(row) + PLACE_BITS'(PADDING) - tap_row;
  wire [PLACE_BITS-1:0] to_column = PLACE_BITS'(column) + PLACE_BITS'(PADDING) - tap_column;
  wire [PLACE_BITS-1:0] out_row = to_row / PLACE_BITS'(STRIDE), out_column = to_column / PLACE_BITS'(STRIDE);
  wire joined = !to_row[PLACE_BITS-1] && !to_column[PLACE_BITS-1]  // not negative
      && to_row % PLACE_BITS'(STRIDE) == 0 && to_column % PLACE_BITS'(STRIDE) == 0
      && 32'(out_row) < OUT_HEIGHT && 32'(out_column) < OUT_WIDTH;
  wire [SITE_BITS-1:0] first_sum = SITE_BITS'((32'(out_row) * OUT_WIDTH + 32'(out_column)) * FEATURES);

  wire last_feature = 32'(feature) == FEATURES - 1;
  assign in_ready = state == WAIT;
  assign full = state == FULL;

  always_ff @(posedge clk) begin
    if (rst) begin
      state <= CLEAR;
      sum_at <= 0;
    end else begin
      case (state)
        CLEAR: begin
          sum_at <= sum_at + 1'b1;
          if (32'(sum_at) == SITES - 1) state <= WAIT;
        end
        WAIT: if (in_valid) begin
          if (in_end) begin
            keep <= in_keep;
            last <= in_last;
            state <= DRAIN;
          end else begin
            channel <= in_channel;
            row <= in_window_row[ROW_BITS-1:0];
            column <= in_window_column[COLUMN_BITS-1:0];
            value <= in_cut;
            state <= LOCATE;
          end
        end
        LOCATE: begin
          weight_at <= first_weight;
          sum_at <= 0;
          feature <= 0;
          tap_row <= 0;
          tap_column <= 0;
          state <= outside ? WAIT : CONV ? SEEK : ADD;
        end
        SEEK: begin
          sum_at <= first_sum;
          feature <= 0;
          if (joined) begin
            state <= ADD;
          end else begin
            weight_at <= weight_at + WEIGHT_AT_BITS'(FEATURES);
            if (last_tap) state <= WAIT;
          end
        end
        ADD: begin
          weight_at <= weight_at + 1'b1;
          sum_at <= sum_at + 1'b1;
          feature <= feature + 1'b1;
          if (last_feature) state <= CONV && !last_tap ? SEEK : WAIT;
        end
        DRAIN: state <= FULL;
        default: if (next) state <= WAIT;
      endcase
      if ((state == SEEK && !joined) || (state == ADD && last_feature)) begin
        tap_column <= tap_column + 1'b1;
        if (32'(tap_column) == KERNEL - 1) begin
          tap_column <= 0;
          tap_row <= tap_row + 1'b1;
        end
      end
    end
  end

  // Weights and sums are read, then multiplied if events have values, then added: three cycles, in which no sum is met twice.
  logic signed [WEIGHT_BITS-1:0] weights [0:WEIGHTS-1];
  initial $readmemh(WEIGHT_FILE, weights);
  logic signed [SUM_BITS-1:0] sums [0:SITES-1];
  logic signed [WEIGHT_BITS-1:0] weight_1;
  logic signed [SUM_BITS-1:0] sum_1, sum_2, term_2;
  logic add_1, add_2;
  logic [SITE_BITS-1:0] at_1, at_2;
  assign sum = sum_1;

  always_ff @(posedge clk) begin
    weight_1 <= weights[weight_at];
    if (!full || read) sum_1 <= sums[full ? at : sum_at];
    add_1 <= state == ADD && !rst;
    at_1 <= sum_at;
    add_2 <= add_1 && !rst;
    at_2 <= at_1;
    sum_2 <= sum_1;
    term_2 <= SUM_BITS'(weight_1 * value);
  end

  wire write = add_2 || state == CLEAR || (full && clear && !keep);
  wire [SITE_BITS-1:0] write_at = add_2 ? at_2 : full ? clear_at : sum_at;
  wire signed [SUM_BITS-1:0] written = add_2 ? sum_2 + term_2 : SUM_BITS'(0);
  always_ff @(posedge clk) if (write) sums[write_at] <= written;
endmodule
)sv";

constexpr const char* kDecision =
    R"sv(// The class: the output with the greatest sum of values over the steps from FIRST_STEP on, or, MAXIMUM, with the greatest value; of several the
// first.  Sums have 32 bits more than values: room for 2^32 steps.
module spike_decision #(
  parameter int OUTPUTS = 1, INDEX_BITS = 1, VALUE_BITS = 32, FIRST_STEP = 0,
  parameter bit MAXIMUM = 0
) (
  input  logic clk, rst,
  input  logic in_valid, in_end, in_last,
  input  logic signed [VALUE_BITS-1:0] in_value,
  output logic out_valid,
  output logic [INDEX_BITS-1:0] out_class
);
  localparam int BITS = MAXIMUM ? VALUE_BITS : VALUE_BITS + 32;
  localparam int STEP_BITS = $clog2(FIRST_STEP + 2);
  localparam logic [STEP_BITS-1:0] FIRST = STEP_BITS'(FIRST_STEP), LATER = STEP_BITS'(FIRST_STEP + 1);
  logic [STEP_BITS-1:0] step;  // stays at LATER
  logic [INDEX_BITS-1:0] index, index_1, index_2;
  logic valid_1, valid_2, end_1, end_2;
  logic new_1, read_1, begins_1;  // the sample's first step; one that is read; the first of these
  logic signed [VALUE_BITS-1:0] value_1;
  logic signed [BITS-1:0] evidence [0:OUTPUTS-1];
  logic signed [BITS-1:0] evidence_1, updated_2, best;

  always_ff @(posedge clk) begin
    evidence_1 <= evidence[index];
    value_1 <= in_value;
    index_1 <= index;
    new_1 <= step == 0;
    begins_1 <= step == FIRST;
    read_1 <= step == FIRST || step == LATER;
    valid_1 <= in_valid && !in_end && !rst;
    end_1 <= in_valid && in_end && in_last && !rst;
    if (rst) begin
      step <= 0;
      index <= 0;
    end else if (in_valid) begin
      index <= in_end ? '0 : index + 1'b1;
      if (in_end) step <= in_last ? '0 : step == LATER ? step : step + 1'b1;
    end
  end

  wire signed [BITS-1:0] old = new_1 ? BITS'(0) : evidence_1;
  wire signed [BITS-1:0] value = BITS'(value_1);
  wire taken = begins_1 || value > old;
  wire signed [BITS-1:0] updated = !read_1 ? old : !MAXIMUM ? old + value : taken ? value : old;
  always_ff @(posedge clk) begin
    if (valid_1) evidence[index_1] <= updated;
    updated_2 <= updated;
    index_2 <= index_1;
    valid_2 <= valid_1;
    end_2 <= end_1;
    if (valid_2 && (index_2 == 0 || updated_2 > best)) begin
      best <= updated_2;
      out_class <= index_2;
    end
    out_valid <= end_2;
  end
endmodule
)sv";

}  // namespace spiketrain::deploy::rtl_text
