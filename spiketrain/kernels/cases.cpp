#include "spiketrain/kernels/cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "spiketrain/base/check.h"

namespace spiketrain::cpu {

void Output::store(const void* elements, size_t count) {
  before_.assign(count * width_ + 2 * kGuard, 0xA5);
  if (count > 0) std::memcpy(before_.data() + kGuard, elements, count * width_);
  bytes_ = before_;
}

double Output::at(int64_t i) const {
  const unsigned char* place = bytes_.data() + kGuard + static_cast<size_t>(i) * width_;
  if (epsilon_ == 0) return *place;
  if (width_ == sizeof(double)) {
    double value;
    std::memcpy(&value, place, sizeof(value));
    return value;
  }
  float value;
  std::memcpy(&value, place, sizeof(value));
  return static_cast<double>(value);
}

double Output::largest() const {
  double result = 1;
  for (int64_t i = 0; i < size(); ++i) result = std::max(result, std::abs(at(i)));
  return result;
}

std::string Output::difference(const Output& want) const {
  ST_ASSERT(bytes_.size() == want.bytes_.size() && width_ == want.width_);
  if (bytes_ == want.bytes_) return "";
  const size_t end = bytes_.size() - kGuard;
  for (size_t k = 0; k < kGuard; ++k) {
    if (bytes_[k] != 0xA5 || want.bytes_[k] != 0xA5) return name + ": written before its first element";
    if (bytes_[end + k] != 0xA5 || want.bytes_[end + k] != 0xA5)
      return name + ": written past its last element";
  }
  const Tolerance& t = want.tolerance;
  const double common = t.absolute + t.largest * epsilon_ * (t.largest > 0 ? want.largest() : 0);
  for (int64_t i = 0; i < size(); ++i) {
    const size_t place = kGuard + static_cast<size_t>(i) * width_;
    if (std::memcmp(bytes_.data() + place, want.bytes_.data() + place, width_) == 0) continue;
    const bool strict =
        t.each + t.largest + t.absolute == 0 || (!t.same_bits.empty() && t.same_bits[static_cast<size_t>(i)]);
    const double bound = common + t.each * epsilon_ * std::abs(want.at(i));
    if (!strict && std::abs(at(i) - want.at(i)) <= bound) continue;
    std::ostringstream text;
    text.precision(17);
    text << name << "[" << i << "]: " << at(i) << ", plain loops " << want.at(i);
    if (!strict) text << ", at most " << bound << " apart";
    return text.str();
  }
  return "";
}

std::string difference(const Outputs& got, const Outputs& want) {
  ST_ASSERT(got.size() == want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    const std::string found = got[k].difference(want[k]);
    if (!found.empty()) return found;
  }
  return "";
}

void KernelCase::run(Code code) {
  for (Output& output : outputs_) output.reset();
  call(code);
}

const Output& KernelCase::output(const std::string& name) const {
  for (const Output& output : outputs_) {
    if (output.name == name) return output;
  }
  throw UsageError(str("kernel case: no output is called '", name, "'"));
}

std::string compare(KernelCase& c) {
  c.run(KernelCase::Code::fast);
  const Outputs got = c.outputs();
  c.run(KernelCase::Code::plain);
  return difference(got, c.outputs());
}

void KernelCases::cross(size_t first, size_t last, const std::vector<Sizes>& sizes) {
  for (size_t variant = first; variant < last; ++variant) {
    for (const Sizes& size : sizes) {
      for (const Numbers numbers : {Numbers::exact, Numbers::any}) {
        for (const bool in_double : {false, true}) {
          cases.push_back({size, variant, numbers, in_double, cases.size() + 1});
        }
      }
    }
  }
}

void KernelCases::time(size_t variant, const std::vector<Sizes>& sizes) {
  for (const Sizes& size : sizes) timed.push_back({size, variant, Numbers::typical, false, 1});
}

std::string KernelCases::label(const CaseSpec& spec) const {
  std::string text = variants[spec.variant];
  for (size_t d = 0; d < dims.size(); ++d) {
    text += str(text.empty() ? "" : "/", dims[d].name, ":", spec.sizes[d]);
  }
  return text;
}

std::string KernelCases::describe(const CaseSpec& spec) const {
  std::string text = name + ":";
  for (size_t d = 0; d < dims.size(); ++d) text += str(" ", dims[d].name, " ", spec.sizes[d], ",");
  if (!variants[spec.variant].empty()) text += " " + variants[spec.variant] + ",";
  const char* numbers[] = {"exact", "any", "typical"};
  return str(text, spec.in_double ? " double, " : " float, ", numbers[static_cast<int>(spec.numbers)],
             ", seed ", spec.seed);
}

CheckResult check(const KernelCases& kernel) {
  CheckResult result;
  for (const CaseSpec& spec : kernel.cases) {
    const std::string found = compare(*kernel.make(spec));
    ++result.compared;
    if (found.empty()) continue;
    if (result.failed++ == 0) result.first = kernel.describe(spec) + ": " + found;
  }
  return result;
}

namespace {

std::vector<KernelCases (*)()>& declarations() {
  static std::vector<KernelCases (*)()> list;
  return list;
}

}  // namespace

bool register_cases(KernelCases (*declare)()) {
  declarations().push_back(declare);
  return true;
}

const std::vector<KernelCases>& kernel_cases() {
  static const std::vector<KernelCases> all = [] {
    std::vector<KernelCases> list;
    for (const auto declare : declarations()) list.push_back(declare());
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return list;
  }();
  return all;
}

double Draw::value(double low, double high) {
  if (!exact_) return rng_.uniform(low, high);
  const uint64_t count = static_cast<uint64_t>(std::llround((high - low) * 64)) + 1;
  return low + static_cast<double>(rng_.below(count)) / 64;
}

Windows windows_of(int64_t N) {
  Windows p;
  p.k = 2;
  p.scale = 0.25;
  const auto divide = [&](std::initializer_list<int64_t> sizes) {
    for (const int64_t n : sizes) {
      if (N % n != 0) continue;
      N /= n;
      return n;
    }
    return int64_t{1};
  };
  p.C = divide({8, 3});
  p.W = divide({5, 4, 3, 2});
  p.H = divide({5, 4, 3, 2});
  return p;
}

}  // namespace spiketrain::cpu
