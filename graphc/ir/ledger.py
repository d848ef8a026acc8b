"""What happened to a graph: a row per rule hit. Rows hold numbers and text, no nodes, so old graphs die."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from graphc.errors import Origins


class Hit(NamedTuple):
    """One rewrite: the rule and its class, the ids and ops before and after, and the user's lines."""

    stage: str
    rule: str
    exactness: str
    before: int
    after: int
    before_text: str
    after_text: str
    origins: Origins

    def __str__(self) -> str:
        return f"{self.rule} [{self.exactness}]: {self.before_text} → {self.after_text}  ({self.origins})"


class Ledger:
    """The hits of one compilation, in order."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self._rebuilt: dict[int, int] = {}

    def add(self, hit: Hit) -> None:
        """Appends a row."""
        self.hits.append(hit)

    def rebuilt(self, before: int, after: int) -> None:
        """Notes that a node is an older one over other inputs, so that `history` finds its way."""
        if before != after:
            self._rebuilt.setdefault(after, before)

    def counts(self) -> Counter[str]:
        """Hits per rule."""
        return Counter(hit.rule for hit in self.hits)

    def history(self, node_id: int) -> list[Hit]:
        """The hits that led to a node, last first; of all the nodes whose place it took."""
        by_result: dict[int, list[Hit]] = {}
        for hit in self.hits:
            by_result.setdefault(hit.after, []).append(hit)
        found: list[Hit] = []
        seen: set[int] = set()
        pending = [node_id]
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            hits = by_result.get(current, ())
            found += reversed(hits)
            pending += [hit.before for hit in hits]
            if current in self._rebuilt:
                pending.append(self._rebuilt[current])
        return found
