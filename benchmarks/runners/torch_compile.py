"""torch.compile: a training step is compiled whole, forward, backward and optimiser; on a GPU with CUDA graphs."""

from __future__ import annotations

from functools import partial

from benchmarks.torch_arrays import Compiler, runner


def _compiler(device: str) -> Compiler:
    import torch

    return partial(torch.compile, mode="default" if device == "cpu" else "reduce-overhead", dynamic=False)


RUNNERS = [runner("torch.compile", "cpu", _compiler), runner("torch.compile, GPU", "cuda", _compiler)]
