"""What happened to a graph: one row per rule hit. Rows hold numbers and text, never nodes, so old graphs can die."""

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

    def add(self, hit: Hit) -> None:
        """Appends a row."""
        self.hits.append(hit)

    def counts(self) -> Counter[str]:
        """Hits per rule."""
        return Counter(hit.rule for hit in self.hits)

    def history(self, node_id: int) -> list[Hit]:
        """The hits that led to a node, last first."""
        by_result = {hit.after: hit for hit in self.hits}
        found: list[Hit] = []
        while (hit := by_result.get(node_id)) is not None and hit not in found:
            found.append(hit)
            node_id = hit.before
        return found
