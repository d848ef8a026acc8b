"""Wrong answers as standalone scripts of a few lines."""

from __future__ import annotations

from typing import Any

from graphc.bisection import Bisection, IsWrong, differs, require_executable
from graphc.errors import ArgumentError, GraphcError
from graphc.lowering import registry
from graphc.reproducer.predicate import Predicate, embed
from graphc.reproducer.problem import Problem
from graphc.reproducer.script import RESERVED, Setting, print_script
from graphc.reproducer.shrinking import shrink
from graphc.session.executable import Executable


def reproduce(executable: Executable, /, *args: Any, is_wrong: IsWrong = differs, **kwargs: Any) -> str:
    """A standalone Python script that shows that a call gives a wrong answer, with as little as that takes.

    Nodes, operands, axes, elements and digits go as long as the answer stays wrong; what is left is printed with its
    data. The session's variables keep their values.

    Args:
        executable: from `session.compile` or `gc.compile`.
        *args: the feeds of the call; by name as keywords, too.
        is_wrong: `f(computed, expected) -> bool`, as for `gc.bisect`; by default `graphc.bisection.differs`. The script
            holds its source, which may read modules, numbers and small arrays from outside. Where that is not to be
            had, the script asks `differs`, if the answer is wrong by that, too. A smaller call on which it fails is
            not taken for wrong.
        **kwargs: see `args`.

    Raises:
        ArgumentError: the first argument is no executable; the answer is right, or what `law="default"` allows the
            backend; `is_wrong` cannot judge it, or cannot be written into a script.
        FeedError: as the call itself would.
        NumericsError, OutOfRangeError: the call fails, and so does the reference.
    """
    require_executable("reproduce", executable)
    plan = executable.plan
    leaves, sizes = executable.leaves(*args, **kwargs)
    problem = Problem(plan.recorded, leaves, sizes)
    search = Bisection(*problem, plan.choice, plan.options, is_wrong)
    _require_wrong(search, executable)
    predicate = None if is_wrong is differs else embed(is_wrong, RESERVED)
    judges: list[IsWrong] = [differs] if predicate is None else [predicate.function]
    if predicate is None and is_wrong is not differs:
        judges.append(is_wrong)

    def wrong(candidate: Problem) -> bool:
        try:
            searches = [Bisection(*candidate, plan.choice, plan.options, judge) for judge in judges]
            return all(each.failure is None and each.finds_wrong() and not each.finds_law() for each in searches)
        except GraphcError:  # it does not even run, or the predicate cannot judge it
            return False

    if not wrong(problem):
        raise _not_written(is_wrong)
    return print_script(shrink(problem, wrong), _setting(executable, predicate))


def _require_wrong(search: Bisection, executable: Executable) -> None:
    """Holds a call to being wrong, and no fault of its own.

    Raises:
        ArgumentError: it is right, or lawful; or the reference fails, so that there is nothing to hold it against.
        NumericsError, OutOfRangeError: the call fails, and so does the reference.
    """
    search.require_answer()
    name = executable.plan.choice.name
    if search.failure is not None:
        got = f"an answer of {name} where the reference fails: {search.failure.message}"
        fix = "gc.bisect names who misses the failure: report that with the graph and its feeds"
    elif not search.finds_wrong():
        got = f"the answer of the reference interpreter, {search.is_wrong.tolerance()}, by {executable!r}"
        fix = "pass is_wrong=f, where f(computed, expected) says what is wrong with this answer"
    elif search.finds_law():
        got = f"an answer of {name} that is right without algebra of its own, by {executable!r}"
        fix = 'options=gc.CompileOptions(law="strict") forbids it'
    else:
        return
    raise ArgumentError("there is nothing to reproduce", expected="a call with a wrong answer", got=got, fix=fix)


def _not_written(is_wrong: IsWrong) -> ArgumentError:
    name = getattr(is_wrong, "__name__", repr(is_wrong))
    return ArgumentError(
        "is_wrong cannot be written into the script, which would pass without it",
        expected="a function or a lambda of a file that reads modules, numbers and small arrays from outside",
        got=f"{name}, and an answer that graphc.bisection.differs takes for right",
        fix="def f(computed, expected): return not np.allclose(computed[0], expected[0], rtol=1e-6)",
    )


def _setting(executable: Executable, predicate: Predicate | None) -> Setting:
    plan = executable.plan
    name, backend = plan.choice.name, plan.choice.backend
    note = f"A wrong answer of {name}."
    if name not in registry.names() or registry.load(name) is not backend:
        note += " The backend was given as an object: put it in place of its name."
    if predicate is None:
        return Setting(repr(name), options=plan.options, note=note)
    return Setting(repr(name), predicate.imports, plan.options, predicate=predicate.lines, note=note)
