"""Wrong answers as standalone scripts of a few lines."""

from __future__ import annotations

from typing import Any

from graphc.bisection import Bisection, IsWrong, differs, require_executable
from graphc.errors import ArgumentError, GraphcError
from graphc.reproducer.problem import Problem
from graphc.reproducer.script import Setting, print_script
from graphc.reproducer.shrinking import shrink
from graphc.session.executable import Executable


def reproduce(executable: Executable, /, *args: Any, is_wrong: IsWrong = differs, **kwargs: Any) -> str:
    """A standalone Python script that shows that a call gives a wrong answer, with as little as that takes.

    Nodes, operands, axes, elements and digits go as long as the answer stays wrong; what is left is printed with its
    data. The session's variables keep their values.

    Args:
        executable: from `session.compile` or `gc.compile`.
        *args: the feeds of the call; by name as keywords, too.
        is_wrong: `f(computed, expected) -> bool`; by default `graphc.bisection.differs`, which the script uses.
        **kwargs: see `args`.

    Raises:
        ArgumentError: the first argument is no executable, or the answer is right.
        FeedError: as the call itself would.
    """
    require_executable("reproduce", executable)
    plan = executable.plan
    leaves, sizes = executable.leaves(*args, **kwargs)

    def wrong(problem: Problem) -> bool:
        try:
            return Bisection(*problem, plan.choice, plan.options, is_wrong).finds_wrong()
        except GraphcError:  # it does not even run
            return False

    problem = Problem(plan.recorded, leaves, sizes)
    if not wrong(problem):
        raise ArgumentError(
            "there is nothing to reproduce",
            expected="a call with a wrong answer",
            got=f"the answer of the reference interpreter, by {executable!r}",
            fix="pass is_wrong=f, where f(computed, expected) says what is wrong with this answer",
        )
    setting = Setting(repr(plan.choice.name), options=plan.options, note=f"A wrong answer of {plan.choice.name}.")
    return print_script(shrink(problem, wrong), setting)
