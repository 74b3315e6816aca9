// What an objective says beside its main interface if it learns from a teacher's outputs (Target::teacher).
#pragma once

namespace spiketrain {

/// Who needs to know asks the objective for it (dynamic_cast).
struct ReadsTeacher {
  virtual ~ReadsTeacher() = default;
};

}  // namespace spiketrain
