"""What fusion did: which nodes became one, and which did not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphc.errors import Origins
from graphc.ir.dims import Dim

_LONGEST = 12  # distinct ops of a group that are listed
_MOST_EDGES = 6  # entries of one reason that are listed


class FusedGroup(NamedTuple):
    """Some nodes that became one.

    Attributes:
        name: of the body.
        kind: of `ops.fused.FUSIONS`.
        ops: of its members, in order.
        inputs, outputs: how many arrays it reads and writes.
        saved: bytes of the values inside that are neither written nor read again, as a formula.
        least: elements of the space from which on that holds; below, the backend runs the ops one by one.
        origins: the user's lines.
    """

    name: str
    kind: str
    ops: tuple[str, ...]
    inputs: int
    outputs: int
    saved: Dim
    least: int
    origins: Origins

    def __str__(self) -> str:
        arrays = f"{self.inputs} in, {self.outputs} out"
        saved = f"{self.saved} bytes saved" + (f" from {self.least} elements on" if self.least else "")
        return f"{self.name} [{self.kind}] {listed(self.ops)}: {arrays}, {saved}  {self.origins}"


class Refused(NamedTuple):
    """An edge between two nodes that stayed apart, or several alike."""

    producer: str
    consumer: str
    reason: str
    times: int
    made_at: Origins
    read_at: Origins

    def __str__(self) -> str:
        times = f" × {self.times}" if self.times > 1 else ""
        places = str(self.read_at) if self.read_at == self.made_at else f"{self.made_at} → {self.read_at}"
        return f"{self.producer} → {self.consumer}{times}  {places}"


class FusionReport(NamedTuple):
    """The groups, in order, and the edges that stayed: those alike, by ops and reason, are one entry."""

    groups: Sequence[FusedGroup] = ()
    refused: Sequence[Refused] = ()

    def lines(self) -> Iterator[str]:
        """What a person reads; alike groups of the same lines are one line, and edges stand below their reason."""
        counted = Counter(group._replace(name="") for group in self.groups)
        first = {group._replace(name=""): group for group in reversed(self.groups)}
        for key, times in counted.items():
            yield str(first[key]) + (f" × {times}" if times > 1 else "")
        by_reason: dict[str, list[Refused]] = {}
        for edge in self.refused:
            by_reason.setdefault(edge.reason, []).append(edge)
        for reason, edges in by_reason.items():
            yield f"not fused: {reason}"
            yield from (f"  {edge}" for edge in edges[:_MOST_EDGES])
            if len(edges) > _MOST_EDGES:
                yield f"  … {sum(edge.times for edge in edges[_MOST_EDGES:])} more"


def listed(ops: Sequence[str]) -> str:
    """The distinct ops of a group with their numbers, as far as there is room."""
    counted = Counter(ops)
    words = [op + (f" × {times}" if times > 1 else "") for op, times in counted.items()]
    return ", ".join(words[:_LONGEST]) + (f", … {len(words) - _LONGEST} more" if len(words) > _LONGEST else "")
