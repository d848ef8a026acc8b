"""Keys of runs: which sources of a graph the session feeds, and with what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc import philox
from graphc.ir.graph import Graph
from graphc.ir.tensor import Tensor
from graphc.ops.random.keys import RUN_KEY


def with_run_keys(graph: Graph) -> Graph:
    """The graph with its run keys as the last parameters; itself if it has none."""
    known = set(graph.parameters)
    keys = [node for node in graph.nodes if node.op is RUN_KEY and node not in known]
    return Graph((*graph.parameters, *keys), graph.results, graph.updates, graph.name) if keys else graph


def run_keys(graph: Graph) -> tuple[Tensor, ...]:
    """The parameters that the session feeds."""
    return tuple(node for node in graph.parameters if node.op is RUN_KEY)


class RunKeys:
    """What a session feeds to run keys: `fold_in(fold_in(seed, name), step)`.

    Args:
        seed: the session's key.
    """

    def __init__(self, seed: philox.Key) -> None:
        self._seed = seed
        self._named: dict[str, philox.Key] = {}

    def at(self, names: Sequence[str], step: int) -> list[np.ndarray]:
        """Arrays for some names at a step."""
        return [np.array(philox.fold_in(self._of(name), step), np.uint32) for name in names]

    def _of(self, name: str) -> philox.Key:
        found = self._named.get(name)
        if found is None:
            found = self._named[name] = philox.fold_in(self._seed, name)
        return found
