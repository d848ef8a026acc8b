"""PyTorch as it comes: no graph, one operator after the other, in inference mode where nothing is trained."""

from __future__ import annotations

from benchmarks.torch_arrays import runner

RUNNERS = [runner("torch eager", "cpu"), runner("torch eager, GPU", "cuda")]
