// What it takes to train a network from C++, in one header: parts and networks, data, the learner, the trainer, recipes.
// The cost meter (cost/cost.h) and the report (report/report.h) have their own.
#pragma once
#include "spiketrain/core/layer.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/recipe/overrides.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/runtime.h"
#include "spiketrain/train/trainer.h"
#include "spiketrain/version.h"
