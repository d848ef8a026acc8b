"""A bound plan as it is called: feeds to the device, steps, checks, commit, results from the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graphc.ops.structure import print_value

from .device import Work
from .failures import require_alive, state_lost
from .lowered import Item, Print
from .memory import BoundPlan, download, run


class BoundCall:
    """Runs a plan whose memory is bound.

    A call stages its feeds, so that nothing reads them when it has returned, starts all work, and waits once: for its
    results and the words of its checks. A plan that has both checks and a commit waits for the words first. A plan
    without results returns while the device still works; if it has feeds, the next call waits for their memory.

    The commit is one call of C code, as its works are: Ctrl-C comes before all of them or after. What they start is
    done even so. An exception before the commit leaves the variables as they are; afterwards they hold new values.
    An exception between, or a device that fails, leaves nothing that can be trusted: `StateLostError`.

    Args:
        bound: the memory.
        items: what is done before the commit.
        commit: what is done in it, all of it C code; `None` for a plan that writes nothing.
        order: of the results: positions in `bound.results`.
    """

    def __init__(
        self, bound: BoundPlan, items: Iterable[Item], commit: Sequence[Work] | None, order: Sequence[int]
    ) -> None:
        self._bound = bound
        self._device = bound.device
        self._commit = None if commit is None else list(commit)
        self._order = list(order)
        self._in_flight = False
        self._parts: list[list[Work]] = [[]]
        self._prints: list[Print] = []
        self._start()
        for item in items:
            if isinstance(item, Print):
                self._prints.append(item)
                self._parts.append([])
            else:
                self._parts[-1].append(item)
        self._finish = self._copy_back()
        self._read_words = self._copy_words()

    def _start(self) -> None:
        bound, device = self._bound, self._device
        if bound.feed_staging.nbytes:
            self._parts[0].append(device.prepare_copy_in(bound.base + bound.feeds_at, bound.feed_staging))
        if bound.checks:
            words = bound.words.nbytes
            self._parts[0].append(
                device.prepare_copy(bound.base + bound.status_at, bound.base + bound.initial_at, words)
            )

    def _copy_back(self) -> Work | None:
        """Of the results; and of the words with them, if nothing is committed that must wait for those."""
        bound = self._bound
        skipped = 0 if self._commit is None else bound.results_at - bound.status_at
        staging = bound.result_staging[skipped:]
        start = bound.base + bound.status_at + skipped
        return self._device.prepare_copy_out(staging, start) if staging.nbytes else None

    def _copy_words(self) -> Work | None:
        bound = self._bound
        staging = bound.result_staging[: bound.words.nbytes]
        return self._device.prepare_copy_out(staging, bound.base + bound.status_at) if staging.nbytes else None

    def __call__(self, *feeds: np.ndarray) -> list[np.ndarray]:
        """The results for these feeds, as fresh arrays.

        Raises:
            OutOfRangeError, NumericsError: a check failed; nothing has been committed.
            StateLostError: the device failed.
        """
        self._device.enter()
        try:
            self._compute(feeds)
        except Exception as error:
            self._require_alive(error)
            raise
        self._run_commit()
        try:
            return self._take_results()
        except Exception as error:
            self._require_alive(error)
            raise

    def _compute(self, feeds: Sequence[np.ndarray]) -> None:
        if self._in_flight:  # an interrupted call, or one without results: it may be reading the staged feeds
            self._device.synchronize()
        self._in_flight = bool(self._bound.feed_staging.nbytes)
        for staged, feed in zip(self._bound.feeds, feeds, strict=True):
            staged[...] = feed
        run(self._parts[0])
        for value, part in zip(self._prints, self._parts[1:], strict=True):
            self._require_checks()
            print_value(download(self._device, value.ptr, value.shape, value.dtype), value.label)
            run(part)
        if self._commit is not None:
            self._require_checks()

    def _run_commit(self) -> None:
        if self._commit is None:
            return
        try:
            run(self._commit)
        except Exception as error:
            raise state_lost(self._device, error) from error

    def _take_results(self) -> list[np.ndarray]:
        if self._finish is not None:
            self._finish()
            self._device.synchronize()
            self._in_flight = False
            if self._commit is None:
                self._raise_failed()
        results = [array.copy() for array in self._bound.results]
        return [results[at] for at in self._order]

    def _require_checks(self) -> None:
        """Waits for the words of the checks that have run so far, and raises what they tell."""
        if self._read_words is None:
            return
        self._read_words()
        self._device.synchronize()
        self._raise_failed()

    def _raise_failed(self) -> None:
        bound = self._bound
        for check, (first, second) in zip(bound.checks, bound.words.tolist(), strict=True):
            error = check.error(first, second, bound.sizes)
            if error is not None:
                raise error

    def _require_alive(self, error: Exception) -> None:
        require_alive(self._device, error)
        self._in_flight = False
