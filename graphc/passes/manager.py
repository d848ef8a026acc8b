"""Runs a pipeline of passes; verifies, times, counts and dumps around them, never inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from graphc.backend import REFERENCE, Capabilities
from graphc.errors import InternalError
from graphc.ir.graph import Graph
from graphc.ir.ledger import Ledger
from graphc.ir.text import print_graph
from graphc.ir.verify import verify
from graphc.options import CompileOptions


class Context(NamedTuple):
    """What a pass may know: options, the backend's capabilities, the ledger, and a limit on rule hits (for bisection)."""

    options: CompileOptions = CompileOptions()
    capabilities: Capabilities = REFERENCE
    ledger: Ledger = Ledger()
    limit: int | None = None


class Pass(Protocol):
    """A graph goes in, a graph that computes the same comes out."""

    @property
    def name(self) -> str: ...

    def run(self, graph: Graph, context: Context) -> Graph: ...


class Record(NamedTuple):
    """What one pass did: nodes before and after, seconds, hits of rules."""

    name: str
    before: int
    after: int
    seconds: float
    hits: int


Instrument = Callable[[str, Graph], None]
"""Called with `"after <pass>"` and the graph."""


def run_passes(
    graph: Graph,
    pipeline: Sequence[Pass],
    context: Context,
    instruments: Sequence[Instrument] = (),
) -> tuple[Graph, list[Record]]:
    """The optimised graph, and a record per pass."""
    observers = [*instruments, *_observers(context.options)]
    for observe in observers:
        observe("before", graph)
    records = []
    for step in pipeline:
        before, hits = len(graph.nodes), len(context.ledger.hits)
        start = time.perf_counter()
        new = step.run(graph, context)
        seconds = time.perf_counter() - start
        _require_same_interface(step, graph, new)
        graph = new
        records.append(Record(step.name, before, len(graph.nodes), seconds, len(context.ledger.hits) - hits))
        for observe in observers:
            observe(f"after {step.name}", graph)
    return graph, records


def _require_same_interface(step: Pass, old: Graph, new: Graph) -> None:
    kinds_old = [node.type.dtype for node in old.outputs]
    if len(old.outputs) != len(new.outputs) or kinds_old != [node.type.dtype for node in new.outputs]:
        raise InternalError(f"the pass {step.name} changed the results of the graph")


def _observers(options: CompileOptions) -> list[Instrument]:
    found: list[Instrument] = []
    if options.verify:
        found.append(lambda stage, graph: verify(graph, stage))
    if options.dump:
        found.append(_dumper(Path(options.dump)))
    return found


def _dumper(folder: Path) -> Instrument:
    folder.mkdir(parents=True, exist_ok=True)
    counter = iter(range(1000))

    def dump(stage: str, graph: Graph) -> None:
        name = f"{graph.name}-{next(counter):02}-{stage.replace(' ', '-')}.txt"
        (folder / name).write_text(print_graph(graph), encoding="utf-8")

    return dump
