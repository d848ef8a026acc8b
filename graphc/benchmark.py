"""Times a user's own graph on every backend that can run here: `graphc bench FILE.py[:NAME]`.

The file builds a graph; NAME is what is to be fetched (a tensor, an update, a dict or list of those, or a function that
returns one), `fetches` unless it says otherwise. Feeds are random, but for those in a dict `feeds` of the file.
"""

from __future__ import annotations

import runpy
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.builder.graph import Graph
from graphc.builder.update import Update
from graphc.errors import ArgumentError, GraphcError
from graphc.ir import dims
from graphc.ir.tensor import Tensor
from graphc.ir.walk import toposort
from graphc.lowering import registry
from graphc.session.lookup import placeholder
from graphc.session.session import Session
from graphc.tree import flatten

_ROUNDS = 15


class Subject(NamedTuple):
    """What is timed: fetches of a graph, and an array for every placeholder that they need."""

    graph: Graph
    fetches: Any
    feeds: dict[Tensor, np.ndarray]


class Timing(NamedTuple):
    """Seconds on one backend, or why there are none.

    Attributes:
        compiled: building the session and compiling.
        first: the first call.
        median, least: of a call, over the rounds.
        spread: half of the range between the quartiles of the rounds, as a share of the median.
        peak_bytes: of the plan's own memory.
    """

    backend: str
    compiled: float = 0.0
    first: float = 0.0
    median: float = 0.0
    least: float = 0.0
    spread: float = 0.0
    peak_bytes: int = 0
    failure: str | None = None


def subject(path: str, sizes: Mapping[str, int]) -> Subject:
    """Runs the user's file.

    Args:
        path: FILE.py or FILE.py:NAME.
        sizes: of symbolic dimensions; those that are not given are 1.

    Raises:
        ArgumentError: there is no such file or name, or it is nothing that can be fetched.
    """
    file, _, name = path.partition(":") if not Path(path).is_file() else (path, "", "")
    if not Path(file).is_file():
        raise ArgumentError("there is no such file", expected="FILE.py or FILE.py:NAME", got=path, fix="check the path")
    known = runpy.run_path(file)
    found = known.get(name or "fetches")
    if found is None:
        names = [key for key, value in known.items() if isinstance(value, (Tensor, Update)) or callable(value)]
        raise ArgumentError(
            f"{file} has no {name or 'fetches'!r}",
            expected="a tensor, an update, a list or dict of those, or a function that returns one",
            got="these names: " + (", ".join(key for key in names if not key.startswith("_")) or "none"),
            fix="name one, as in FILE.py:loss, or write fetches = [...] into the file",
        )
    fetches = found() if callable(found) and not isinstance(found, Tensor) else found
    graph, needed = _needed(fetches, path)
    feeds = known.get("feeds", {})
    given = {placeholder(graph, key): np.asarray(value) for key, value in feeds.items()}
    rng = np.random.default_rng(0)
    arrays = {node: given[node] if node in given else _random(rng, node, sizes) for node in needed}
    return Subject(graph, fetches, arrays)


def _needed(fetches: Any, path: str) -> tuple[Graph, list[Tensor]]:
    """The graph, and the placeholders that the fetches are computed from."""
    leaves, _ = flatten(fetches)
    outputs = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    outputs += [value for leaf in leaves if isinstance(leaf, Update) for _, value in leaf.assignments]
    nodes = toposort(outputs)
    owners = {id(node.owner): node.owner for node in nodes if isinstance(node.owner, Graph)}
    if not outputs or len(owners) != 1:
        raise ArgumentError(
            f"{path} is nothing that can be timed",
            expected="tensors or updates of one graph that has a placeholder or a variable",
            got=f"{len(outputs)} of them, of {len(owners)} graphs",
            fix="build it inside `with gc.Graph(...)`, and name the results",
        )
    [graph] = owners.values()
    return graph, [node for node in nodes if node.op.name == "placeholder"]


def symbols(chosen: Subject) -> tuple[str, ...]:
    """The names of the symbolic sizes of the feeds."""
    return dims.symbols(size for node in chosen.feeds for size in node.shape)


def _random(rng: np.random.Generator, node: Tensor, sizes: Mapping[str, int]) -> np.ndarray:
    """Floats around 0; zeros where it may be an index, which fit everywhere."""
    known = {name: sizes.get(name, 1) for name in dims.symbols(node.shape)}
    shape = tuple(dims.evaluate(size, known) for size in node.shape)
    if node.dtype.numpy.kind in "iu":
        return np.zeros(shape, node.dtype.numpy)
    if node.dtype.numpy.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.standard_normal(shape).astype(node.dtype.numpy)


def time_all(chosen: Subject, backends: Sequence[str] = (), seconds: float = 1.0) -> list[Timing]:
    """A timing per backend, in the order given; all that are available unless some are named."""
    names = backends or [name for name in registry.names() if _is_available(name)]
    return [_timed(chosen, name, seconds) for name in names]


def _is_available(name: str) -> bool:
    try:
        return registry.availability(name).available
    except GraphcError:
        return False


def _timed(chosen: Subject, backend: str, seconds: float) -> Timing:
    """Calls with the same feeds; each waits for its result, as those of a user do."""
    try:
        start = time.perf_counter()
        with Session(chosen.graph, backend=backend) as session:
            call = session.compile(chosen.fetches, feeds=list(chosen.feeds))
            arrays = list(chosen.feeds.values())
            compiled = time.perf_counter()
            call(*arrays)
            first = time.perf_counter() - compiled
            rounds = _rounds(lambda: call(*arrays), seconds)
            peak = call.arena_bytes(*arrays)
    except GraphcError as error:
        return Timing(backend, failure=" ".join(str(error).split()))
    low, median, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return Timing(backend, compiled - start, first, median, min(rounds), (high - low) / 2 / median, peak)


def _rounds(call: Any, seconds: float) -> list[float]:
    """Seconds a call in each round; as many calls make a round as fill its share of the time."""
    began = time.perf_counter()
    call()
    calls = max(1, int(seconds / _ROUNDS / max(time.perf_counter() - began, 1e-7)))
    found = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - began) / calls)
    return found


def rows(timings: Sequence[Timing]) -> list[tuple[str, ...]]:
    """The cells of a table, the heading first."""
    found: list[tuple[str, ...]] = [("backend", "median", "±", "least", "calls/s", "compile", "first call", "arena")]
    for t in timings:
        if t.failure is not None:
            found.append((t.backend, t.failure))
            continue
        times = [_text(value) for value in (t.least, t.compiled, t.first)]
        share, rate = f"{t.spread * 100:.0f} %", f"{1 / t.median:,.0f}"
        found.append((t.backend, _text(t.median), share, times[0], rate, *times[1:], f"{t.peak_bytes:,} B"))
    return found


def _text(seconds: float) -> str:
    scale, unit = (1e6, "µs") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1.0, "s")
    return f"{seconds * scale:.4g} {unit}"
