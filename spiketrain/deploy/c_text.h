// Texts of which model.c is made; see c_model.cpp.
#pragma once

namespace spiketrain::deploy::c_text {

/// A function by its name; it may call those before it.
struct Function {
  const char *name, *text;
};
constexpr Function kFixedHelpers[] = {{"rounded", R"(
/* x / 2^bits to the nearest, halves away from zero. */
static int64_t rounded(int64_t x, int32_t bits)
{
  const int64_t half = (int64_t)1 << (bits - 1);
  return x >= 0 ? (x + half) >> bits : -((half - x) >> bits);
}
)"},
                                      {"saturated", R"(
static int32_t saturated(int64_t x)
{
  return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}
)"},
                                      {"decay", R"(
/* A factor k / 2^15 on v. */
static int32_t decay(int32_t k, int32_t v)
{
  return (int32_t)rounded((int64_t)k * v, 15);
}
)"},
                                      {"add", R"(
static int32_t add(int32_t a, int32_t b)
{
  return saturated((int64_t)a + b);
}
)"}};

constexpr const char* kProduct = R"(
/* Geometry of a product: a source of channels x height x width whose windows are summed, and the layer's maps. */
typedef struct {
  int32_t channels, height, width, window, pooled_height, pooled_width;
  int32_t features, kernel, stride, padding, out_height, out_width;
} product_t;
)";

/// @ order of the site, # name.
constexpr const char* kLocate = R"(
/* Place of the window that holds a site; 0 if none does. */
static int locate_#(const product_t *p, int32_t site, int32_t *channel, int32_t *row, int32_t *column)
{
@
  *row /= p->window;
  *column /= p->window;
  return *row < p->pooled_height && *column < p->pooled_width;
}
)";
constexpr const char* kMapsFirst =
    "  *channel = site / (p->height * p->width);\n"
    "  *row = site / p->width % p->height;\n"
    "  *column = site % p->width;";
constexpr const char* kMapsLast =
    "  *channel = site % p->channels;\n"
    "  *row = site / p->channels / p->width;\n"
    "  *column = site / p->channels % p->width;";

/// # the source, $ further parameters, @ what is added.
constexpr const char* kDense = R"(
/* Adds the weights of one site. */
static void add_dense_#(value_t *sum, const weight_t *weight, const product_t *p, int32_t site$)
{
  int32_t channel, row, column, f;
  if (locate_#(p, site, &channel, &row, &column)) {
    const weight_t *w = weight + ((row * p->pooled_width + column) * p->channels + channel) * p->features;
    for (f = 0; f < p->features; ++f) {
      sum[f] += @;
    }
  }
}
)";
constexpr const char* kConv = R"(
/* Adds the weights of one site to all that read it. */
static void add_conv_#(value_t *sum, const weight_t *weight, const product_t *p, int32_t site$)
{
  int32_t channel, row, column, i, j, f;
  if (!locate_#(p, site, &channel, &row, &column)) {
    return;
  }
  for (i = 0; i < p->kernel; ++i) {
    const int32_t y = row + p->padding - i;
    if (y < 0 || y % p->stride != 0 || y / p->stride >= p->out_height) {
      continue;
    }
    for (j = 0; j < p->kernel; ++j) {
      const int32_t x = column + p->padding - j;
      if (x >= 0 && x % p->stride == 0 && x / p->stride < p->out_width) {
        value_t *to = sum + (y / p->stride * p->out_width + x / p->stride) * p->features;
        const weight_t *w = weight + ((channel * p->kernel + i) * p->kernel + j) * p->features;
        for (f = 0; f < p->features; ++f) {
          to[f] += @;
        }
      }
    }
  }
}
)";

constexpr const char* kDecide = R"(
int model_decide(void)
{
  int32_t i, best = 0;
  for (i = 1; i < MODEL_OUTPUTS; ++i) {
    if (evidence[i] > evidence[best]) {
      best = i;
    }
  }
  return (int)best;
}
)";

}  // namespace spiketrain::deploy::c_text
