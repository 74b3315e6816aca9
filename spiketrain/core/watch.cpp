#include "spiketrain/core/watch.h"

namespace spiketrain {
namespace {

thread_local Watch* watching = nullptr;

}  // namespace

Watch::Watch() : before_(watching) { watching = this; }
Watch::~Watch() { watching = before_; }
Watch* Watch::now() { return watching; }

uint32_t Recorder::wants(int64_t slot) const {
  const auto it = asked_.find(slot);
  return it == asked_.end() ? 0 : it->second;
}

void Recorder::fired(int64_t slot, const Record& record, const Context& context) {
  const auto it = asked_.find(slot);
  if (it == asked_.end() || context.mode == Mode::replay) return;
  Trace& trace = traces_[slot];
  const auto add = [&](std::vector<Tensor>& list, Slot what, const Tensor& x) {
    if ((it->second & what) && x.defined()) list.push_back(x.detach().clone());
  };
  add(trace.I, kI, record.I);
  add(trace.u, kU, record.u);
  add(trace.psi, kPsi, record.psi);
  trace.output.push_back(record.spiking() ? record.spikes().bytes().clone() : record.a.detach().clone());
}

}  // namespace spiketrain
