"""From a check that fails to a report: what went wrong, who is guilty, and a script of a few lines that shows it."""

import contextlib
import io
import runpy
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from configurations import CONFIGURATIONS, Configuration
from differential import Run
from error_bound import Ambiguous, Wide, wide_values
from random_checks import BACKEND_CHECKS, CHECKS, Check, Tally
from random_graphs import Case

import graphc as gc
from graphc.bisection import Bisection, Culprit
from graphc.errors import GradientNotImplementedError, GraphcError, NotDifferentiableError
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor
from graphc.reproducer.problem import Problem, node_values
from graphc.reproducer.script import WRONG, Setting, print_script
from graphc.reproducer.shrinking import shrink

FAILURES = (AssertionError, GraphcError, ArithmeticError, LookupError, TypeError, ValueError)
"""What a check may end with when something is wrong."""
_NUMPY = CONFIGURATIONS[0]


class Report(NamedTuple):
    """A wrong case.

    Attributes:
        seed, check: where it was found.
        error: what the check said.
        verdict: who is guilty.
        script: the reproducer.
        path: the file that it was written to.
        missing: why the script does not show what is wrong; empty if it does.
    """

    seed: int
    check: str
    error: str
    verdict: Culprit
    script: str
    path: Path
    missing: str = ""

    def __str__(self) -> str:
        but = f"; it does not show the mismatch: {self.missing}" if self.missing else ""
        return (
            f"GRAPHC_SEED={self.seed} fails {self.check}: {self.error}\n"
            f"culprit: {self.verdict}\nas a script, in {self.path}{but}:\n\n{self.script}"
        )


def first_wrong(case: Case, found: Sequence[Run], names: Sequence[str], tally: Tally) -> Report | None:
    """The report on the first of some checks that a case does not pass."""
    checks = {**CHECKS, **BACKEND_CHECKS}
    for name in names:
        try:
            checks[name](case, found, tally)
        except FAILURES as error:
            return report(case, found, name, error)
    return None


def report(case: Case, found: Sequence[Run], name: str, error: Exception) -> Report:
    """Shrinks what fails a check, prints it, and finds the culprit."""
    check = {**CHECKS, **BACKEND_CHECKS}[name]
    configuration = next((c for c in CONFIGURATIONS if c.name == name), _NUMPY)
    wrong = gradient_is_wrong if name == "gradients" else _fails(case, check, type(error))
    problems = [problem for run in found for problem in _problems(case, run, name)]
    problem = next(filter(wrong, problems), None)
    # What depends on more than a graph and its data cannot be shrunk.
    problem = problems[0] if problem is None else shrink(problem, wrong, configuration.budget)
    if name == "gradients":
        script, verdict = _gradient_script(problem, case), _gradient_verdict(problem)
    else:
        script, verdict = (
            _script(problem, configuration, f"seed {case.seed} fails {name}"),
            culprit(problem, configuration),
        )
    path = Path(tempfile.mkdtemp(prefix="graphc-")) / f"seed{case.seed}.py"
    path.write_text(script, encoding="utf-8")
    text = f"{type(error).__name__}: {error}"[:2000]
    return Report(case.seed, name, text, verdict, script, path, why_not_shown(path))


def why_not_shown(path: Path) -> str:
    """Why a script does not end with a wrong answer, or an empty text if it does; what it prints is not wanted."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(path))
    except SystemExit as end:
        return "" if end.code == WRONG else f"it ends with {end.code!r}"
    except Exception as error:  # whatever the wrong case makes of it
        return f"it fails with {type(error).__name__}: {error}"
    return "run by itself, it gives the right answer; what fails depends on more than a graph and its data"


def _problem(graph: Graph, run: Run) -> Problem:
    return Problem(graph, run.arrays, run.sizes)


def _problems(case: Case, run: Run, name: str) -> list[Problem]:
    """What may be wrong: the graph, or one of the functions whose gradients it holds."""
    if name != "gradients":
        return [_problem(case.graph, run)]
    return [_problem(Graph(case.graph.parameters, [y], (), case.graph.name), run) for y, _, _ in case.slopes]


def _as_case(case: Case, problem: Problem) -> tuple[Case, Run]:
    styles = dict.fromkeys(problem.values, "generic")
    small = case._replace(graph=problem.graph, styles=styles, slopes=())
    return small, Run(small, dict(problem.sizes), problem.values)


def _fails(case: Case, check: Check, kind: type[Exception]) -> Callable[[Problem], bool]:
    """Whether a problem fails a check in the same way."""

    def wrong(problem: Problem) -> bool:
        try:
            node_values(problem)
            small, run = _as_case(case, problem)
        except (Ambiguous, *FAILURES):  # it has no right answer
            return False
        try:
            check(small, [run], Tally.empty())
        except FAILURES as error:
            return type(error) is kind
        return False

    return wrong


# --- gradients --------------------------------------------------------------------------------------------------


def _slope(problem: Problem) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The sum of the result, what it depends on, and its gradients."""
    (y,) = problem.graph.results
    scalar = gc.sum(y) if y.ndim else y
    xs, gradients, reached = [], [], set(problem.graph.nodes)
    for leaf in problem.values:
        if leaf.dtype.kind != "float" or leaf not in reached:
            continue
        with contextlib.suppress(NotDifferentiableError, GradientNotImplementedError):
            gradients += gc.gradients(scalar, [leaf], unconnected="zero")
            xs.append(leaf)
    return scalar, xs, gradients


def gradient_is_wrong(problem: Problem) -> bool:
    """Whether gradients of its result are other than slopes."""
    if len(problem.graph.outputs) > 1 or problem.graph.outputs[0].dtype.kind != "float":
        return False
    try:
        scalar, xs, gradients = _slope(problem)
        if not xs:
            return False
        graph = Graph(problem.graph.parameters, [scalar, *gradients])
        styles = dict.fromkeys(problem.values, "generic")
        slopes = ((scalar, tuple(xs), tuple(gradients)),)
        case = Case(0, None, graph, styles, (), slopes)  # type: ignore[arg-type]
        run = Run(case, dict(problem.sizes), problem.values)
    except (Ambiguous, *FAILURES):
        return False
    try:
        CHECKS["gradients"](case, [run], Tally.empty())
    except FAILURES:
        return True
    return False


def _gradient_verdict(problem: Problem) -> Culprit:
    ops = [node for node in problem.graph.nodes if node.op.kind is not Kind.SOURCE]
    names = ", ".join(dict.fromkeys(node.op.name for node in ops))
    return Culprit("gradient", names, "what gc.gradients gives is not the slope", ops[-1].origins if ops else ())  # type: ignore[arg-type]


def _gradient_script(problem: Problem, case: Case) -> str:
    """A script with the gradients themselves as results, and differences as what is expected."""
    scalar, xs, gradients = _slope(problem)
    graph = Graph(problem.graph.parameters, gradients, (), "gradients of a sum")
    expected = [_differences(problem, scalar, x) for x in xs]
    note = f"Seed {case.seed} fails gradients: they differ from central differences. The graph of the function itself:"
    function = "\n".join(f"#     {line}" for line in _lines_of(problem))
    script = print_script(
        Problem(graph, problem.values, problem.sizes), Setting(allowed=1e-3, expected=expected, note=note)
    )
    return script.replace("\n\nimport", f"\n{function}\n\nimport", 1)


def _lines_of(problem: Problem) -> list[str]:
    text = print_script(problem, Setting())
    return [line.strip() for line in text.split("as graph:\n")[1].split("\n\n")[0].split("\n")]


def _differences(problem: Problem, y: Tensor, x: Tensor) -> np.ndarray:
    """The slope in each element, in extended precision."""
    step = Wide(2.0**-16)
    result = np.zeros(problem.values[x].shape, x.dtype.numpy)
    for at in np.ndindex(result.shape):
        ends = []
        for sign in (1, -1):
            moved = np.array(problem.values[x], Wide)
            moved[at] += sign * step
            ends.append(wide_values([y], {**problem.values, x: moved}, problem.sizes)[0])
        result[at] = (ends[0] - ends[1]) / (2 * step)
    return result


# --- scripts and verdicts ---------------------------------------------------------------------------------------


def _allowance(problem: Problem, configuration: Configuration) -> tuple[list[np.ndarray], float]:
    """The right answers, and how far the worst of them may be missed."""
    case = Case(0, None, problem.graph, dict.fromkeys(problem.values, "generic"), (), ())  # type: ignore[arg-type]
    run = Run(case, dict(problem.sizes), problem.values)
    bounds = [b or e for b, e in zip(run.decided(problem.graph, configuration.accuracy), run.expected, strict=True)]
    expected = [b.value.astype(node.dtype.numpy) for b, node in zip(bounds, problem.graph.outputs, strict=True)]
    return expected, max((float(2 * b.error.max(initial=0)) for b in bounds), default=0.0)


def _script(problem: Problem, configuration: Configuration, note: str) -> str:
    expected, allowed = _allowance(problem, configuration)
    return print_script(
        problem,
        Setting(
            configuration.source,
            configuration.imports,
            configuration.options,
            allowed,
            expected=expected,
            note=f"{note}.{_needs(configuration)}",
        ),
    )


def _needs(configuration: Configuration) -> str:
    """What a script takes beside graphc."""
    modules = [line.split()[1] for line in configuration.imports]
    own = [name for name in modules if Path(__file__).with_name(f"{name}.py").exists()]
    return f" It takes {', '.join(own)} of graphc's own tests: run it with PYTHONPATH=tests." if own else ""


def culprit(problem: Problem, configuration: Configuration = _NUMPY) -> Culprit:
    """Who makes a problem wrong."""
    try:
        _, allowed = _allowance(problem, configuration)
    except (Ambiguous, *FAILURES):
        allowed = 0.0
    try:
        # What is in between may be off by more than the answer: it is strict only where nothing else shows the mistake.
        for ulps in (64, 0):
            search = Bisection(
                *problem, configuration.choice(), configuration.options, partial(_is_off, allowed=allowed, ulps=ulps)
            )
            if search.finds_wrong():
                break
        return search.run()
    except GraphcError as error:  # a rule that cannot even be applied names itself
        return Culprit("error", type(error).__name__, str(error))


def _is_off(computed: Sequence[np.ndarray], expected: Sequence[np.ndarray], allowed: float, ulps: int) -> bool:
    for c, e in zip(computed, expected, strict=True):
        relative = ulps * np.finfo(e.dtype).eps if e.dtype.kind == "f" else 0
        if c.dtype != e.dtype or c.shape != e.shape or not np.allclose(c, e, relative, allowed, equal_nan=True):
            return True
    return False
