"""What the runners of PyTorch share: its tensors, its mathematics, its clock on a GPU, and the runner around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.runner import Prepared, Runner, needs
from benchmarks.workload import Arrays, Problem, Workload

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A function → the compiled one."""


def runner(name: str, device: str, compiler: Callable[[str], Compiler] | None = None) -> Runner:
    """A runner on "cpu" or "cuda".

    Args:
        compiler: device → `torch.compile` with its options; `None` for eager mode.
    """
    kind = "cpu" if device == "cpu" else "gpu"
    prepare = partial(_prepare, device, compiler)
    return Runner(name, "torch", needs("torch"), partial(_load, device), prepare, device=kind)


def _load(device: str) -> str:
    """Imports it; returns its version."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU")
    return str(torch.__version__)


def _prepare(
    device: str, compiler: Callable[[str], Compiler] | None, workload: Workload, problem: Problem, threads: int
) -> Prepared:
    compiled = None if compiler is None else compiler(device)
    function, inputs = _mathematics(workload, problem, threads, device, compiled)
    if device == "cpu":
        return Prepared(function, inputs, _numpy_of)
    events: Any = _Events()
    return Prepared(function, inputs, _numpy_of, wait=events.wait, clock=events)


def _numpy_of(result: Any) -> Arrays:
    """The tensors of a result as NumPy arrays."""
    several = result if isinstance(result, tuple | list) else (result,)
    return tuple(tensor.detach().cpu().numpy() for tensor in several)


def _mathematics(
    workload: Workload, problem: Problem, threads: int, device: str, compiled: Compiler | None
) -> tuple[Callable[..., Any], list[tuple[Any, ...]]]:
    """The function that is called with tensors, and the tensors on their device."""
    import torch

    torch.set_num_threads(threads)
    inputs = [tuple(torch.from_numpy(array).to(device) for array in arrays) for arrays in problem.inputs]
    state = {name: torch.tensor(array, device=device) for name, array in problem.state.items()}
    function = workload.functions["torch"]
    if workload.step:
        step = function(torch, {name: tensor.requires_grad_() for name, tensor in state.items()})
        return (compiled(step) if compiled else step), inputs
    call = partial(function, torch, *([state] if state else []))

    def forward(*arrays: Any) -> Any:
        return call(*arrays)

    return torch.inference_mode()(compiled(forward) if compiled else forward), inputs


class _Events:
    """Seconds on a GPU, by CUDA events."""

    def __init__(self) -> None:
        import torch

        self.wait = torch.cuda.synchronize
        self.began, self.ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def start(self) -> None:
        """Records an event behind all that was started."""
        self.began.record()

    def stop(self) -> float:
        """Seconds between the events."""
        self.ended.record()
        self.ended.synchronize()
        return float(self.began.elapsed_time(self.ended)) / 1e3
