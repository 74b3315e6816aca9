# The headers that are installed: what docs/install.md promises to those who build on the library.  All others are ours
# to change.  tests/install/headers.py checks that each compiles by itself and includes only what is installed.
set(st_public_headers
  spiketrain.h
  base/check.h base/event_records.h base/file.h base/input_file.h base/options.h base/part.h base/plugin.h base/protobuf.h base/registration.h
  base/registry.h base/rng.h base/safetensors.h base/text.h
  kernels/current_map.h kernels/event_conv/event_conv.h kernels/event_lif/event_lif.h kernels/event_relpsp/event_relpsp.h kernels/event_srm/event_srm.h kernels/isa.h kernels/lif_scan/lif_scan.h
  kernels/surrogate.h kernels/tssl_scan/tssl_scan.h kernels/windows.h
  ops/channel_map.h ops/chunk_sum.h ops/chunks.h ops/event_conv.h ops/event_lif.h ops/event_relpsp.h ops/event_srm.h ops/layout.h ops/lif_scan.h ops/memory_tracker.h ops/pointer.h
  ops/pool2d.h ops/reduce.h ops/spike_bits.h ops/spike_times.h ops/surrogate.h ops/torch.h ops/tssl_scan.h ops/windows.h
  core/context.h core/counts.h core/encoder.h core/extras.h core/forward.h core/group.h core/head.h core/initialise.h core/layer.h core/learning_signal.h
  core/network.h core/neuron.h core/norm.h core/objective.h core/optimizer.h core/record.h core/regularizer.h core/rule.h core/schedule.h
  core/signal.h core/spikes.h core/stage.h core/switched_quantizer.h core/synapse.h core/tape.h core/target.h core/teacher.h core/watch.h
  core/weight_storage.h
  data/catalogue.h data/dataset.h data/loader.h data/reads_ahead.h data/source.h data/split.h data/tensor_dataset.h
  data/images/image_dataset.h data/images/raw_images.h
  data/table/table_options.h
  data/events/event_file.h data/events/event_options.h data/events/event_sets.h data/events/event_stream.h
  train/binarizer.h train/checkpoint.h train/dormant.h train/environment.h train/evaluate.h train/metrics.h train/observer.h train/probe.h
  train/progress.h train/rates.h train/run_dir.h train/runtime.h train/tensorboard.h train/trainer.h train/training.h
  engine/block_costs.h engine/block_pipe.h engine/gradient_sums.h engine/gradients.h engine/learner.h
  cost/cost.h cost/cost_graph.h cost/energy.h cost/footprint.h cost/neurobench.h cost/neuron_energy.h
  recipe/cost_options.h recipe/experiment.h recipe/initial_weights.h recipe/join_group.h recipe/memory.h recipe/overrides.h recipe/part_kinds.h recipe/recipe.h
  recipe/run_training.h recipe/tandem_section.h recipe/teacher.h recipe/toml.h
  nir/export.h nir/file.h nir/graph.h nir/import.h
  deploy/c_export.h deploy/deployment.h deploy/export.h deploy/machine.h deploy/model.h deploy/onnx.h deploy/program.h deploy/program_network.h
  deploy/read_network.h deploy/rtl_export.h
  report/plot.h report/report.h report/run_data.h report/run_page.h report/run_report.h report/svg.h report/sweep.h report/sweep_results.h)
