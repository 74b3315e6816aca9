"""Event files as TensorBoard itself reads them."""
import pytest
from conftest import require, small

import spiketrain as st


def test_tensorboard_reads_what_metrics_say(recipe, tmp_path):
    event_accumulator = require("tensorboard.backend.event_processing.event_accumulator")
    run = st.train(recipe, small, out=tmp_path / "run", tensorboard=True)
    events = event_accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    for ours, theirs in (("test_accuracy", "accuracy/test"), ("train_accuracy", "accuracy/train"), ("train_loss", "loss/train")):
        assert theirs in tags["scalars"], tags["scalars"]
        read = events.Scalars(theirs)
        assert [point.step for point in read] == [1, 2]
        assert [point.value for point in read] == pytest.approx([e[ours] for e in run.history], rel=1e-6)
    for name, weights in run.network.named_parameters():
        for point in events.Histograms(f"weight/{name}"):
            assert sum(point.histogram_value.bucket) == point.histogram_value.num == weights.numel()
    assert events.Images(tags["images"][0])[0].encoded_image_string.startswith(b"\x89PNG")
