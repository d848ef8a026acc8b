"""Who made a wrong answer: `bisect` follows it to a rule's hit, a pass, a group of fused nodes, a kernel, or the plan.

The oracle is the reference interpreter on the graph as recorded. First the number of rewrites that are allowed, groups
of fused nodes included, is halved until one more makes the answer wrong. Does the reference interpreter agree that the
graph after that rewrite is another one, then the rule, or the fusion, is guilty. If not, the backend is: each node of
the graph is run alone, on the reference's own inputs. The first that differs is a wrong kernel; if none does, they
were put together wrongly: the plan. Where a backend has a compiler below it with algebra of its own (XLA), an answer
that is right under `law="strict"` is nobody's fault, but the law's. Of a group that differs, the Kernel interpreter
tells whether its Kernel is wrong, which is the fusion's fault, or what the backend has printed from it.
"""

from __future__ import annotations

from typing import Any

from graphc.bisection.running import run_plan
from graphc.bisection.search import Bisection
from graphc.bisection.verdict import Culprit, IsWrong, differs
from graphc.errors import ArgumentError
from graphc.session.executable import Executable

__all__ = ["Bisection", "Culprit", "IsWrong", "bisect", "differs", "require_executable", "run_plan"]


def bisect(executable: Executable, /, *args: Any, is_wrong: IsWrong = differs, **kwargs: Any) -> Culprit:
    """Finds out why a call gives a wrong answer. The session's variables keep their values.

    Args:
        executable: from `session.compile` or `gc.compile`.
        *args: the feeds of the call; by name as keywords, too.
        is_wrong: `f(computed, expected) -> bool` of two lists of arrays: the results, then the new values of the
            variables. By default `differs`. It is also asked about single nodes, with the values of that node; where
            it fails there, nothing is called wrong.
        **kwargs: see `args`.

    Raises:
        ArgumentError: the first argument is no executable; or `is_wrong` calls the reference's own answer wrong, or
            fails on it.
        FeedError: as the call itself would.
        NumericsError, OutOfRangeError: the call fails, and so does the reference: there is no answer to follow.
    """
    require_executable("bisect", executable)
    plan = executable.plan
    leaves, sizes = executable.leaves(*args, **kwargs)
    return Bisection(plan.recorded, leaves, sizes, plan.choice, plan.options, is_wrong).run()


def require_executable(what: str, executable: object) -> None:
    """Holds the first argument of a function for what it must be.

    Raises:
        ArgumentError: it is no executable.
    """
    if not isinstance(executable, Executable):
        raise ArgumentError(
            f"{what} follows an answer through a compiled graph",
            expected="an executable, from session.compile or gc.compile",
            got=repr(executable),
            fix=f"gc.{what}(session.compile(fetches, feeds=[x]), array)",
        )
