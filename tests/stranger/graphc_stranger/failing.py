"""Backends with mistakes in their own code, each in another place."""

from __future__ import annotations

from typing import Any

from graphc.backend import Capabilities
from graphc.lowering.backend import Availability

from . import StrangerBackend, StrangerProgram


class Named(StrangerBackend):
    def __init__(self, name: str) -> None:
        self.name = name

    def info(self) -> Capabilities:
        return Capabilities(self.name)


class Absent(Named):
    def availability(self) -> Availability:
        return Availability(False, "no abacus is plugged in", remedy="plug one in")


class FailsInAvailability(Named):
    def availability(self) -> Availability:
        raise FileNotFoundError("/dev/abacus")


class FailsInLower(Named):
    def lower(self, *arguments: Any) -> StrangerProgram:
        return {}["matmul"]  # type: ignore[return-value]


class FailsInACall(Named):
    """Only at its third run: the session must be as it was after the second."""

    def lower(self, *arguments: Any) -> StrangerProgram:
        return FailingProgram(*arguments[:1])


class FailingProgram(StrangerProgram):
    def bind(self, *arguments: Any) -> Any:
        right, size = super().bind(*arguments)
        runs = []

        def call(*feeds: Any) -> Any:
            runs.append(feeds)
            return right(*feeds) if len(runs) != 3 else runs[3]

        return call, size


def absent() -> Absent:
    return Absent("absent")


def in_availability() -> FailsInAvailability:
    return FailsInAvailability("fails_in_availability")


def in_lower() -> FailsInLower:
    return FailsInLower("fails_in_lower")


def in_a_call() -> FailsInACall:
    return FailsInACall("fails_in_a_call")


def when_made() -> StrangerBackend:
    raise ValueError("the licence has run out")


def half() -> object:
    return object()
