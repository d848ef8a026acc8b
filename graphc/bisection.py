"""Who made a wrong answer: `bisect` follows it to a rule's hit, a pass, a kernel, or the plan.

The oracle is the reference interpreter on the graph as recorded. First the number of rewrites that are allowed is
halved until one more makes the answer wrong. Does the reference interpreter agree that the graph after that rewrite is
another one, then the rule is guilty. If not, the backend is: each node of the graph is run alone, on the reference's
own inputs. The first that differs is a wrong kernel; if none does, they were put together wrongly: the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import reference
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import NO_ORIGINS, ArgumentError, GraphcError, Origins
from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, VariableNode, rebuild
from graphc.lowering.registry import Choice
from graphc.ops.define import constant_node
from graphc.ops.structure import projections
from graphc.options import CompileOptions
from graphc.passes.pipelines import LEGAL_ONLY
from graphc.session.executable import Executable

IsWrong = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], bool]
"""(what was computed, what the reference computes) → whether that is wrong: results, then new values of variables."""

_MANDATORY = "legalize"


class Culprit(NamedTuple):
    """What made an answer wrong.

    Attributes:
        kind: `"rule"`, `"pass"`, `"kernel"`, `"plan"`, or `"nothing"` where the answer is right.
        name: of the rule, pass or op.
        reason: one sentence on how it was found.
        origins: the user's lines of the node where it happened.
        hit: for a rule: the row of the ledger.
        node: for a kernel: the node that it computes wrongly.
        expected: what the reference interpreter computes: the results, then the new values of the variables.
    """

    kind: str
    name: str
    reason: str
    origins: Origins = NO_ORIGINS
    hit: Hit | None = None
    node: Tensor | None = None
    expected: tuple[np.ndarray, ...] = ()

    def __str__(self) -> str:
        where = f"  at {self.origins}" if self.origins.lines else ""
        return f"{self.kind} {self.name}: {self.reason}{where}".replace("  ", " ", 1)


def differs(computed: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    """Whether some array is off by more than a thousandth (a millionth in float64) of its largest element.

    NaNs and infinities must be in the same places; integers and bools must be equal.
    """
    return any(_differs(np.asarray(a), np.asarray(b)) for a, b in zip(computed, expected, strict=True))


def _differs(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return True
    if a.dtype.kind != "f":
        return not np.array_equal(a, b)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return True
    with np.errstate(all="ignore"):
        off = np.abs(a[finite].astype(np.float64) - b[finite]).max(initial=0)
        allowed = (1e-3 if a.dtype == np.float32 else 1e-6) * np.abs(b[finite]).max(initial=1e-30)
    return not bool(off <= allowed)


def bisect(executable: Executable, /, *args: Any, is_wrong: IsWrong = differs, **kwargs: Any) -> Culprit:
    """Finds out why a call gives a wrong answer. The session's variables keep their values.

    Args:
        executable: from `session.compile` or `gc.compile`.
        *args: the feeds of the call; by name as keywords, too.
        is_wrong: `f(computed, expected) -> bool`; by default `differs`.
        **kwargs: see `args`.

    Raises:
        ArgumentError: the first argument is no executable.
        FeedError: as the call itself would.
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


def run_plan(plan: CompiledPlan, leaves: Mapping[Tensor, np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
    """Runs a plan once, without a session: results and new values of the variables, in memory of their own.

    Args:
        plan: from `compile_graph`.
        leaves: arrays of the parameters and variables of its graph.
        sizes: of its symbols.
    """
    backend = plan.choice.backend
    variables = {variable.name: variable for variable in plan.optimised.variables}
    named = [variables[plan.plan.slots[index].name] for index in plan.plan.state]
    state = [backend.allocate(variable.type) for variable in named]
    backend.to_device([(target, leaves[node]) for target, node in zip(state, named, strict=True)])
    call, _ = plan.program.bind(sizes, state, list)
    results = call(*(leaves[node] for node in plan.optimised.parameters))
    new = dict(zip(named, state, strict=True))
    updated = [backend.to_host(new[variable]) for variable, _ in plan.optimised.updates]
    return [*(np.asarray(value) for value in results), *updated]


class Bisection:
    """The search for the culprit of a call.

    Args:
        graph: as recorded.
        leaves: arrays of its parameters and variables.
        sizes: of its symbols.
        choice, options: the backend, and how to compile for it.
        is_wrong: see `IsWrong`.

    Attributes:
        expected: what the reference interpreter computes.
    """

    def __init__(
        self,
        graph: Graph,
        leaves: Mapping[Tensor, np.ndarray],
        sizes: Mapping[str, int],
        choice: Choice,
        options: CompileOptions,
        is_wrong: IsWrong = differs,
    ) -> None:
        self.graph = graph
        self.leaves = leaves
        self.sizes = sizes
        self.choice = choice
        self.options = options
        self.is_wrong = is_wrong
        self.expected = self.by_reference(self.graph)

    def run(self) -> Culprit:
        """Who makes the answer wrong, if it is."""
        return self._culprit()._replace(expected=tuple(self.expected))

    def finds_wrong(self) -> bool:
        """Whether there is anything to search for."""
        return self.wrong(self.compile(None))

    def _culprit(self) -> Culprit:
        whole = self.compile(None)
        if not self.wrong(whole):
            return Culprit("nothing", "", "the answer is that of the reference interpreter")
        plain = self.compile(0)
        if self.wrong(plain):
            return self.pass_or_backend(plain)
        right, bad = 0, len(whole.ledger.hits)
        while bad - right > 1:
            middle = (right + bad) // 2
            if self.wrong(self.compile(middle)):
                bad = middle
            else:
                right = middle
        return self.rule_or_backend(self.compile(bad))

    # --- steps --------------------------------------------------------------------------------------------------

    def compile(self, limit: int | None) -> CompiledPlan:
        """The graph with so many rewrites at most."""
        return compile_graph(self.graph, self.choice, self.options, limit=limit)

    def wrong(self, plan: CompiledPlan) -> bool:
        try:
            computed = self.by_backend(plan)
        except Exception:  # what the reference can compute, the backend must not refuse
            return True
        return self.is_wrong(*self.paired(plan.optimised, computed))

    def by_reference(self, graph: Graph) -> list[np.ndarray]:
        return [np.asarray(value) for value in reference.evaluate(graph.outputs, self.leaves, self.sizes)]

    def by_backend(self, plan: CompiledPlan) -> list[np.ndarray]:
        return run_plan(plan, self.leaves, self.sizes)

    def paired(self, optimised: Graph, computed: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Computed and expected values, without the updates that a pass has dropped."""
        first = len(self.graph.results)
        wanted = {variable: self.expected[first + i] for i, (variable, _) in enumerate(self.graph.updates)}
        return computed, [*self.expected[:first], *(wanted[variable] for variable, _ in optimised.updates)]

    def same_graph(self, graph: Graph) -> bool:
        """Whether the reference interpreter gives the expected values for it."""
        try:
            computed = self.by_reference(graph)
        except GraphcError:
            return False
        return not self.is_wrong(*self.paired(graph, computed))

    # --- verdicts -----------------------------------------------------------------------------------------------

    def pass_or_backend(self, plain: CompiledPlan) -> Culprit:
        if not self.same_graph(plain.optimised):
            return Culprit("pass", _MANDATORY, "a decomposition computes something else than its composite")
        return self.backend(plain)

    def rule_or_backend(self, plan: CompiledPlan) -> Culprit:
        if self.same_graph(plan.optimised):
            return self.backend(plan)
        hit = [hit for hit in plan.ledger.hits if hit.stage != _MANDATORY][-1]
        count = f"it is right after {len(plan.ledger.hits) - 1} rewrites, and wrong after one more"
        reason = f"{hit.before_text} → {hit.after_text} in the pass {hit.stage} changes the value; {count}"
        return Culprit("rule", hit.rule, reason, hit.origins, hit)

    def backend(self, plan: CompiledPlan) -> Culprit:
        """A wrong kernel, or else a wrong plan."""
        name = self.choice.name
        values: dict[Tensor, Any] = {}
        reference.evaluate(plan.optimised.outputs, self.leaves, self.sizes, values.__setitem__)
        for node in plan.optimised.nodes:
            if node.op.kind is Kind.SOURCE or node.op.name == "project":
                continue
            if self.is_wrong_alone(node, values):
                reason = f"the backend {name!r} computes it wrongly even alone"
                return Culprit("kernel", node.op.name, reason, node.origins, node=node)
        reason = f"every kernel of the backend {name!r} is right by itself: its order, memory or code is not"
        return Culprit("plan", plan.plan.name, reason)

    def is_wrong_alone(self, node: Tensor, values: dict[Tensor, Any]) -> bool:
        try:
            return self.is_wrong(self.alone(node, values), _as_list(values[node]))
        except Exception:
            return True

    def alone(self, node: Tensor, values: dict[Tensor, Any]) -> list[np.ndarray]:
        """A node by the backend, its inputs given as constants."""
        inputs = [constant_node(values[source]) if _is_computed(source) else source for source in node.inputs]
        copy = rebuild(node, inputs)
        results = projections(copy) if isinstance(values[node], tuple) else (copy,)
        graph = Graph(self.graph.parameters, results, (), f"{node.op.name} alone")
        return self.by_backend(compile_graph(graph, self.choice, self.options, LEGAL_ONLY))


def _is_computed(node: Tensor) -> bool:
    """Whether it has a value that must be given: constants and sizes have theirs in the graph."""
    return node.op.kind is not Kind.SOURCE or node.op.name == "placeholder" or isinstance(node, VariableNode)


def _as_list(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, tuple) else [value]
