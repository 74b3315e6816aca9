#include "spiketrain/engine/signal_message.h"

#include <cstring>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

enum MessageForm : int64_t { kConstant, kDense, kBits, kGaps };
/// A gap of so many sites is an advance without a spike.
constexpr uint16_t kFar = 0xffff;

/// What every message begins with.
struct MessageHead {
  int64_t form = 0, type = 0, dims = 0, sizes[8] = {};
  int64_t planes = 1, levels = 1, total = -1;
  double tau_s = 0, scale = 1;
  int64_t bytes = 0;  ///< of the first part: image, values, words or gaps
  int64_t more = 0;   ///< of the second: gain, or the PSP before
};

int64_t length_of(const Tensor& x) { return x.defined() ? static_cast<int64_t>(x.nbytes()) : 0; }

Tensor joined(const MessageHead& head, const Tensor& first, const Tensor& second) {
  Tensor out =
      torch::empty({static_cast<int64_t>(sizeof(MessageHead)) + head.bytes + head.more}, torch::kByte);
  auto* to = out.data_ptr<uint8_t>();
  std::memcpy(to, &head, sizeof(MessageHead));
  to += sizeof(MessageHead);
  for (const Tensor& part : {first, second}) {
    if (length_of(part) == 0) continue;
    std::memcpy(to, part.data_ptr(), part.nbytes());
    to += part.nbytes();
  }
  return out;
}

/// Positions of the ones as gaps [n] of 16 bits; undefined if that is more than `limit` bytes.
Tensor gaps_of(const Tensor& words, int64_t limit) {
  Tensor gaps = torch::empty({limit / 2}, torch::kShort);
  auto* out = reinterpret_cast<uint16_t*>(gaps.data_ptr<int16_t>());
  const auto* in = reinterpret_cast<const uint64_t*>(words.data_ptr<int64_t>());
  int64_t n = 0, last = -1;
  const auto put = [&](uint16_t gap) {
    if (n < limit / 2) out[n] = gap;
    ++n;
  };
  for (int64_t w = 0; w < words.numel() && n <= limit / 2; ++w) {
    for (uint64_t word = in[w]; word != 0; word &= word - 1) {
      int64_t gap = w * 64 + __builtin_ctzll(word) - last;
      last += gap;
      for (; gap >= kFar; gap -= kFar) put(kFar);
      put(static_cast<uint16_t>(gap));
    }
  }
  return n <= limit / 2 ? gaps.slice(0, 0, n).contiguous() : Tensor();
}

void set_ones(const uint16_t* gaps, int64_t n, Tensor& words) {
  words.zero_();
  auto* out = reinterpret_cast<uint64_t*>(words.data_ptr<int64_t>());
  int64_t at = -1;
  for (int64_t k = 0; k < n; ++k) {
    at += gaps[k];
    if (gaps[k] == kFar) continue;
    ST_CHECK(at >= 0 && at < words.numel() * 64, "message: a spike outside of its map");
    out[at / 64] |= uint64_t{1} << (at % 64);
  }
}

/// Words of these steps alone.
ops::Bits compact(const Spikes& s) {
  const ops::Bits& bits = s.bits();
  if (bits.defined() && bits.first == 0 && bits.steps == bits.sizes[0] && bits.words.is_contiguous())
    return bits;
  int64_t planes = 1;
  while (s.levels() >= int64_t{1} << planes) ++planes;
  return ops::pack(s.bytes().cpu(), planes, nullptr);
}

Tensor spikes_message(const Signal& x, MessageHead head) {
  const Spikes& s = x.spikes();
  const ops::Bits bits = compact(s);
  head.planes = bits.planes;
  head.levels = s.levels();
  head.total = s.total();
  head.tau_s = x.tau_s();
  head.scale = x.scale();
  const Tensor gaps = gaps_of(bits.words, length_of(bits.words) - 2);
  const Tensor before = x.before().defined() ? x.before().detach().cpu().contiguous() : Tensor();
  head.form = gaps.defined() ? kGaps : kBits;
  head.bytes = gaps.defined() ? length_of(gaps) : length_of(bits.words);
  head.more = length_of(before);
  return joined(head, gaps.defined() ? gaps : bits.words, before);
}

Tensor tensor_from(const uint8_t* bytes, const std::vector<int64_t>& sizes, torch::ScalarType type) {
  Tensor x = torch::empty(sizes, type);
  std::memcpy(x.data_ptr(), bytes, x.nbytes());
  return x;
}

Spikes spikes_from(const uint8_t* bytes, const MessageHead& head, const std::vector<int64_t>& sizes,
                   torch::Device device) {
  ops::Bits bits = ops::empty_bits(sizes, head.planes);
  if (head.form == kGaps) {
    set_ones(reinterpret_cast<const uint16_t*>(bytes), head.bytes / 2, bits.words);
  } else {
    ST_CHECK(head.form == kBits && head.bytes == length_of(bits.words), "message: expected ",
             bits.words.nbytes(), " bytes of spikes, got ", head.bytes);
    std::memcpy(bits.words.data_ptr(), bytes, static_cast<size_t>(head.bytes));
  }
  const Spikes s = Spikes::from_bits(bits, head.total, head.levels);
  return device.is_cpu() ? s : Spikes::from_bytes(s.bytes().to(device), head.total, head.levels);
}

}  // namespace

Tensor to_message(const Signal& x) {
  ST_CHECK(!x.has_times(), "message: spike times do not travel between processes");
  MessageHead head;
  const Tensor edge = x.edge().detach();
  head.type = static_cast<int64_t>(edge.scalar_type());
  head.dims = edge.dim();
  ST_CHECK(head.dims <= 8, "message: expected at most 8 dimensions, got ", head.dims);
  for (int64_t d = 0; d < head.dims; ++d) head.sizes[d] = edge.size(d);
  if (x.has_spikes()) return spikes_message(x, head);
  head.form = x.is_constant() ? kConstant : kDense;
  const Tensor values = (x.is_constant() ? edge : x.values().detach()).cpu().contiguous();
  const Tensor gain = x.is_constant() ? x.gain().cpu().contiguous() : Tensor();
  head.bytes = length_of(values);
  head.more = length_of(gain);
  return joined(head, values, gain);
}

Signal from_message(const Tensor& bytes, torch::Device device) {
  MessageHead head;
  const auto size = bytes.numel() - static_cast<int64_t>(sizeof(MessageHead));
  ST_CHECK(bytes.scalar_type() == torch::kByte && size >= 0, "message: expected a signal, got ",
           bytes.numel(), " bytes");
  std::memcpy(&head, bytes.data_ptr(), sizeof(MessageHead));
  ST_CHECK(
      head.dims >= 2 && head.dims <= 8 && head.bytes >= 0 && head.more >= 0 && head.bytes + head.more == size,
      "message: is no signal");
  const auto type = static_cast<torch::ScalarType>(head.type);
  const std::vector<int64_t> sizes(head.sizes, head.sizes + head.dims);
  const auto* first = bytes.data_ptr<uint8_t>() + sizeof(MessageHead);
  const uint8_t* second = first + head.bytes;
  const auto element = static_cast<int64_t>(torch::elementSize(type));
  if (head.form == kDense) return Signal::dense(tensor_from(first, sizes, type).to(device));
  if (head.form == kConstant)
    return Signal::constant(tensor_from(first, sizes, type).to(device),
                            tensor_from(second, {head.more / element}, type).to(device));
  const Spikes s = spikes_from(first, head, sizes, device);
  const Tensor edge = carrier(sizes, torch::TensorOptions(type).device(device));
  if (head.tau_s == 0) return Signal::spikes(s, edge, head.scale);
  const Tensor before =
      head.more > 0 ? tensor_from(second, {sizes.begin() + 1, sizes.end()}, type).to(device) : Tensor();
  return Signal::psp(s, edge, head.tau_s, {}, before, head.scale);
}

}  // namespace spiketrain
