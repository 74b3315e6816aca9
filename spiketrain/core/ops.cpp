#include "spiketrain/core/ops.h"

#include <ATen/Parallel.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <omp.h>

#include <algorithm>
#include <atomic>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/pool2d/pool2d.h"
#include "spiketrain/kernels/reduce/reduce.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::ops {
namespace {
/// Enough for eight threads to share, few enough that the per-call cost of a chunk stays small.
constexpr int64_t kChunks = 8;

/// Libraries called from inside a parallel region must not believe that they own more than one thread: oneDNN
/// would wait for helpers that never come.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};
}  // namespace

int64_t chunk_size(int64_t n, int64_t min_chunk) {
  const int64_t chunks = std::clamp<int64_t>(n / std::max<int64_t>(1, min_chunk), 1, kChunks);
  return std::max<int64_t>(1, (n + chunks - 1) / chunks);
}

void for_chunks(int64_t n, const std::function<void(int64_t, int64_t)>& f, int64_t min_chunk) {
  const int64_t size = chunk_size(n, min_chunk), chunks = (n + size - 1) / size;
  const bool grad = at::GradMode::is_enabled();
  const auto info = c10::ThreadLocalDebugInfo::current();  // profilers and MemoryTracker
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    OneThread one_thread;
    torch::AutoGradMode mode(grad);
    c10::DebugInfoGuard report(info);
    for (int64_t k = begin; k < end; ++k) f(k * size, std::min(n, (k + 1) * size));
  });
}

namespace {
std::atomic<int> generic_only{0};
}  // namespace

GenericOnly::GenericOnly() { ++generic_only; }
GenericOnly::~GenericOnly() { --generic_only; }

bool has_kernel(const Tensor& x) {
  return generic_only == 0 && x.is_cpu() &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class R>
const R* in(const Tensor& x) {
  return x.defined() ? x.data_ptr<R>() : nullptr;
}

struct PspScan : torch::autograd::Function<PspScan> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double tau_s, const Tensor& before,
                        Tensor after) {
    ctx->saved_data["tau_s"] = tau_s;
    Tensor a = torch::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "psp_scan", [&] {
      cpu::PspScanArgs<scalar_t> args;
      args.T = x.size(0);
      args.N = after.numel();
      args.x = in<scalar_t>(x);
      args.a0 = before.numel() ? in<scalar_t>(before) : nullptr;
      args.a = a.data_ptr<scalar_t>();
      args.a1 = after.data_ptr<scalar_t>();
      cpu::psp_scan(tau_s, args);
    });
    return a;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor g = grads[0].contiguous();
    Tensor g_x = torch::empty_like(g);
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "psp_adjoint", [&] {
      cpu::PspAdjointArgs<scalar_t> args;
      args.T = g.size(0);
      args.N = g[0].numel();
      args.g = in<scalar_t>(g);
      args.g_x = g_x.data_ptr<scalar_t>();
      cpu::psp_adjoint(ctx->saved_data["tau_s"].toDouble(), args);
    });
    return {g_x, Tensor(), Tensor(), Tensor()};
  }
};

struct WindowSum : torch::autograd::Function<WindowSum> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, int64_t k, double scale) {
    ctx->saved_data["k"] = k;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["shape"] = x.sizes().vec();
    std::vector<int64_t> shape = x.sizes().vec();
    shape.end()[-2] /= k;
    shape.end()[-1] /= k;
    Tensor y = torch::empty(shape, x.options());
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "window_sum", [&] {
      cpu::pool2d_forward(planes(x.sizes(), k, scale), in<scalar_t>(x), y.data_ptr<scalar_t>());
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor g = grads[0].contiguous();
    const std::vector<int64_t> shape = ctx->saved_data["shape"].toIntVector();
    Tensor g_x = torch::empty(shape, g.options());
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "window_sum", [&] {
      cpu::pool2d_backward(planes(shape, ctx->saved_data["k"].toInt(), ctx->saved_data["scale"].toDouble()),
                           in<scalar_t>(g), g_x.data_ptr<scalar_t>());
    });
    return {g_x, Tensor(), Tensor()};
  }
  static cpu::Pool2dShape planes(at::IntArrayRef shape, int64_t k, double scale) {
    cpu::Pool2dShape planes;
    planes.H = shape[shape.size() - 2];
    planes.W = shape[shape.size() - 1];
    planes.M = 1;
    for (size_t i = 0; i + 2 < shape.size(); ++i) planes.M *= shape[i];
    planes.k = k;
    planes.scale = scale;
    return planes;
  }
};

}  // namespace

Tensor psp_scan(const Tensor& x, double tau_s, Tensor& carried) {
  if (has_kernel(x)) {
    const Tensor before = carried.defined() ? carried.contiguous() : torch::empty({0}, x.options());
    Tensor after = torch::empty_like(x[0], at::MemoryFormat::Contiguous).detach();
    Tensor a = PspScan::apply(x.contiguous(), tau_s, before.detach(), after);
    carried = after;
    return a;
  }
  std::vector<Tensor> steps;
  Tensor a = carried.defined() ? carried : torch::zeros_like(x[0]);
  for (int64_t t = 0; t < x.size(0); ++t) {
    a = a + (x[t] - a) * (1.0 / tau_s);
    steps.push_back(a);
  }
  carried = a.detach();
  return torch::stack(steps);
}

Tensor window_sum(const Tensor& x, int64_t k, double scale) {
  ST_CHECK(k >= 1 && x.dim() >= 3 && x.size(-1) >= k && x.size(-2) >= k,
           "pooling: expected maps of at least ", k, "x", k, ", got ", x.sizes());
  if (has_kernel(x)) return WindowSum::apply(x.contiguous(), k, scale);
  const Tensor flat = x.reshape({-1, 1, x.size(-2), x.size(-1)});
  const Tensor y = torch::avg_pool2d(flat, {k, k}) * (scale * static_cast<double>(k * k));
  std::vector<int64_t> shape = x.sizes().vec();
  shape.end()[-2] /= k;
  shape.end()[-1] /= k;
  return y.view(shape);
}

double sum_squares(const Tensor& x) {
  if (!has_kernel(x)) return x.to(torch::kDouble).square().sum().item<double>();
  const Tensor flat = x.contiguous();
  return AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sum_squares",
                                    [&] { return cpu::sum_squares(in<scalar_t>(flat), flat.numel()); });
}

}  // namespace spiketrain::ops
