#include "spiketrain/core/learning_signal.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(LearningSignal, "learning_signal")

}  // namespace spiketrain
