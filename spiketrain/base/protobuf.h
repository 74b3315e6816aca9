// Messages in the wire format of Protocol Buffers, field after field, as far as files that others read need it: no library and no
// generated code for five small messages.
// Source: Protocol Buffers, "Encoding".  Tests: unit/tensorboard_test.cpp.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace spiketrain {

class ProtoMessage {
 public:
  ProtoMessage& integer(uint32_t field, uint64_t value) {
    tag(field, 0);
    varint(value);
    return *this;
  }
  ProtoMessage& number(uint32_t field, double value) {
    tag(field, 1);
    little_endian(value);
    return *this;
  }
  ProtoMessage& number32(uint32_t field, float value) {
    tag(field, 5);
    little_endian(value);
    return *this;
  }
  /// Text, bytes, or what another message has become.
  ProtoMessage& bytes(uint32_t field, const std::string& value) {
    tag(field, 2);
    varint(value.size());
    text_ += value;
    return *this;
  }
  ProtoMessage& message(uint32_t field, const ProtoMessage& value) { return bytes(field, value.text_); }
  /// A repeated field, packed.
  ProtoMessage& numbers(uint32_t field, const std::vector<double>& values) {
    ProtoMessage packed;
    for (const double value : values) packed.little_endian(value);
    return message(field, packed);
  }
  const std::string& text() const { return text_; }

 private:
  void tag(uint32_t field, uint32_t kind) { varint(uint64_t{field} << 3 | kind); }
  void varint(uint64_t value) {
    for (; value > 0x7F; value >>= 7) text_ += static_cast<char>((value & 0x7F) | 0x80);
    text_ += static_cast<char>(value);
  }
  template <class T>
  void little_endian(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    text_.append(raw, sizeof(T));
  }
  std::string text_;
};

}  // namespace spiketrain
