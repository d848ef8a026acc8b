"""Runs a pipeline of passes; verifies, times, counts and dumps around them, never inside."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from graphc.backend import REFERENCE, Capabilities
from graphc.errors import InternalError
from graphc.ir.graph import Graph
from graphc.ir.ledger import Ledger
from graphc.ir.text import print_graph
from graphc.ir.verify import verify
from graphc.options import CompileOptions, require_folder
from graphc.passes.fusion import FusionReport


class Context:
    """What a pass may know.

    Attributes:
        options: how to compile.
        capabilities: what the backend can do.
        ledger: where hits are written.
        limit: how many hits there may be, for bisection; decomposition is not optional, and goes on.
        fusion: what the fuse pass did, or `None` if it has not run.
        unfused: the graph as the fuse pass found it.
    """

    def __init__(
        self,
        options: CompileOptions | None = None,
        capabilities: Capabilities = REFERENCE,
        ledger: Ledger | None = None,
        limit: int | None = None,
    ) -> None:
        self.options = CompileOptions() if options is None else options
        self.capabilities = capabilities
        self.ledger = Ledger() if ledger is None else ledger
        self.limit = limit
        self.fusion: FusionReport | None = None
        self.unfused: Graph | None = None

    @property
    def exhausted(self) -> bool:
        """Whether there have been as many hits as there may be."""
        return self.limit is not None and len(self.ledger.hits) >= self.limit


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
    """The same results, by number and dtype, and no new updates; a pass may drop idle ones."""
    updated = {variable for variable, _ in old.updates}
    kinds = [node.type.dtype for node in old.results]
    if kinds != [node.type.dtype for node in new.results] or not updated.issuperset(v for v, _ in new.updates):
        raise InternalError(f"the pass {step.name} changed the results of the graph")


def _observers(options: CompileOptions) -> list[Instrument]:
    found: list[Instrument] = []
    if options.verify:
        found.append(lambda stage, graph: verify(graph, stage))
    if options.dump:
        found.append(_dumper(options.dump))
    return found


def _dumper(folder: str | os.PathLike[str]) -> Instrument:
    require_folder("dump", folder)
    counter = itertools.count()

    def dump(stage: str, graph: Graph) -> None:
        name = f"{graph.name}-{next(counter):02}-{stage}.txt"
        with open(os.path.join(folder, re.sub(r"[^\w.-]", "-", name)), "w", encoding="utf-8") as file:
            file.write(print_graph(graph))

    return dump
