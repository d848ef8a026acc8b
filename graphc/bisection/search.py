"""The search for the culprit of a call: by halves through the rewrites, then node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc import reference
from graphc.bisection.running import run_plan
from graphc.bisection.verdict import Culprit, IsWrong, Judge, differs
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import GraphcError, NumericsError, OutOfRangeError
from graphc.ir.graph import Graph
from graphc.ir.opdef import Kind
from graphc.ir.tensor import Tensor, rebuild
from graphc.lowering.fuse import FUSE
from graphc.lowering.kernel_builder import build_kernel
from graphc.lowering.kernel_interpreter import interpret
from graphc.lowering.kernel_verify import verify_kernel
from graphc.lowering.registry import Choice
from graphc.ops.define import constant_node
from graphc.ops.fused import FUSED_OPS
from graphc.ops.structure import projections
from graphc.options import CompileOptions
from graphc.passes.manager import Context, run_passes
from graphc.passes.pipelines import DEFAULT
from graphc.session import numerics

_MANDATORY = "legalize"


class Bisection:
    """The search for the culprit of a call.

    Args:
        graph: as recorded.
        leaves: arrays of its parameters and variables.
        sizes: of its symbols.
        choice, options: the backend, and how to compile for it.
        is_wrong: see `IsWrong`.

    Attributes:
        expected: what the reference interpreter computes; nothing if it fails.
        failure: the error with which the reference fails, as it may at an index or a check.

    Raises:
        ArgumentError: `is_wrong` calls the expected values wrong, or cannot judge them.
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
        self.expected: list[np.ndarray] = []
        self.failure: GraphcError | None = None
        try:
            self.expected = self.by_reference(self.graph)
        except (NumericsError, OutOfRangeError) as error:
            self.failure = error
        self.is_wrong = Judge(is_wrong, self.expected) if self.failure is None else Judge(differs, [])

    def run(self) -> Culprit:
        """Who makes the answer wrong, if it is.

        Raises:
            NumericsError, OutOfRangeError: the call fails, and so does the reference.
        """
        return self._culprit()._replace(expected=tuple(self.expected))

    def finds_wrong(self) -> bool:
        """Whether there is anything to search for.

        Raises:
            ArgumentError: `is_wrong` cannot judge the answer.
        """
        return self.wrong(self.compile(None), judge=self.is_wrong.tell)

    def finds_law(self) -> bool:
        """Whether a wrong answer is only what the backend may make of the graph unless `law="strict"` forbids it."""
        if self.options.law == "strict" or not self.choice.backend.info().own_algebra:
            return False
        return not self.wrong(compile_graph(self.graph, self.choice, replace(self.options, law="strict")))

    def require_answer(self) -> None:
        """Holds the call to giving an answer where the reference gives none.

        Raises:
            NumericsError, OutOfRangeError: the call fails as the reference does; the call's own error.
        """
        if self.failure is None:
            return
        whole = self.compile(None)
        try:
            self.by_backend(whole)
        except type(self.failure) as error:
            if isinstance(error, NumericsError):
                numerics.explain(error, whole.optimised, self.leaves, self.sizes)
            error.message = f"the call fails, and so does the reference: {error.message}"
            raise

    def _culprit(self) -> Culprit:
        self.require_answer()
        whole = self.compile(None)
        if not self.wrong(whole, judge=self.is_wrong.tell):
            reason = f"the answer is that of the reference interpreter, {self.is_wrong.tolerance()}"
            return Culprit("nothing", "", reason)
        if self.finds_law():
            return self.law()
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

    def wrong(self, plan: CompiledPlan, judge: IsWrong | None = None) -> bool:
        try:
            computed = self.by_backend(plan)
        except Exception as error:  # what the reference can compute, the backend must not refuse
            return type(error) is not type(self.failure)
        return self.failure is not None or (judge or self.is_wrong)(*self.paired(plan.optimised, computed))

    def by_reference(self, graph: Graph) -> list[np.ndarray]:
        found = reference.evaluate(graph.outputs, self.leaves, self.sizes, silent=True)
        return [np.asarray(value) for value in found]

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
        except GraphcError as error:
            return type(error) is type(self.failure)
        return self.failure is None and not self.is_wrong(*self.paired(graph, computed))

    # --- verdicts -----------------------------------------------------------------------------------------------

    def law(self) -> Culprit:
        reason = (
            f"the compiler below the backend {self.choice.name!r} has used algebra of its own, as documented; "
            'the answer is right with options=gc.CompileOptions(law="strict")'
        )
        return Culprit("law", self.choice.name, reason)

    def pass_or_backend(self, plain: CompiledPlan) -> Culprit:
        if self.same_graph(plain.optimised):
            return self.backend(plain)
        capabilities = self.choice.backend.info()
        legal, _ = run_passes(self.graph, DEFAULT, Context(self.options, capabilities, limit=0))
        if self.same_graph(legal):
            return Culprit("fusion", FUSE.name, "a group of one node computes something else than the node")
        return Culprit("pass", _MANDATORY, "a decomposition computes something else than its composite")

    def rule_or_backend(self, plan: CompiledPlan) -> Culprit:
        if self.same_graph(plan.optimised):
            return self.backend(plan)
        hit = [hit for hit in plan.ledger.hits if hit.stage != _MANDATORY][-1]
        kind = "fusion" if hit.stage == FUSE.name else "rule"
        count = f"it is right after {len(plan.ledger.hits) - 1} rewrites, and wrong after one more"
        reason = f"{hit.before_text} → {hit.after_text} in the pass {hit.stage} changes the value; {count}"
        return Culprit(kind, hit.rule, reason, hit.origins, hit)

    def backend(self, plan: CompiledPlan) -> Culprit:
        """A wrong kernel, or else a wrong plan."""
        name = self.choice.name
        values: dict[Tensor, Any] = {}
        try:
            reference.evaluate(plan.optimised.outputs, self.leaves, self.sizes, values.__setitem__, silent=True)
        except (NumericsError, OutOfRangeError) as error:
            return self.missed_check(error, next(node for node in plan.optimised.nodes if node not in values))
        nodes = [node for node in plan.optimised.nodes if node.op.name != "project"]
        node = self.wrong_alone(nodes, values, fuse=False)
        if node is not None:
            return self.group(node, values) if node.op in FUSED_OPS else self.kernel(node)
        reason = f"every kernel of the backend {name!r} is right by itself: its order, memory or code is not"
        return Culprit("plan", plan.plan.name, reason)

    def missed_check(self, error: GraphcError, node: Tensor) -> Culprit:
        reason = f"the backend {self.choice.name!r} gives an answer where the reference fails: {error.message}"
        return Culprit("kernel", node.op.name, reason, node.origins, node=node)

    def kernel(self, node: Tensor, kind: str = "kernel") -> Culprit:
        reason = f"the backend {self.choice.name!r} computes it wrongly even alone"
        return Culprit(kind, node.op.name, reason, node.origins, node=node)

    def group(self, node: Tensor, values: Mapping[Tensor, Any]) -> Culprit:
        """A wrong Kernel of fused nodes; or one of them, computed wrongly; or the group as the backend prints it."""
        body, fusion = node.attrs["body"], node.attrs["fusion"]
        if self.is_wrong_kernel(node, values):
            reason = "the Kernel that is built of a group computes something else than the group, by its interpreter"
            return Culprit("fusion", f"fuse_{fusion}", reason, node.origins, node=node)
        inner: dict[Tensor, Any] = {}
        given = {parameter: values[source] for parameter, source in zip(body.parameters, node.inputs, strict=True)}
        reference.evaluate(body.results, given, self.sizes, inner.__setitem__, silent=True)
        printed = "single" in self.choice.backend.info().fuses
        member = self.wrong_alone(body.nodes, inner, fuse=True)
        if member is not None:
            return self.kernel(member, "printer" if printed else "kernel")
        reason = (
            f"the backend {self.choice.name!r} computes a group wrongly, though its Kernel is right, and so is each op"
        )
        return Culprit("printer", fusion, reason, node.origins, node=node)

    def is_wrong_kernel(self, node: Tensor, values: Mapping[Tensor, Any]) -> bool:
        inputs = [np.ascontiguousarray(values[source]).reshape(values[source].shape) for source in node.inputs]
        try:
            kernel = build_kernel(node.attrs["body"], node.attrs["fusion"], "group")
            verify_kernel(kernel)
            return self.is_wrong(interpret(kernel, inputs, self.sizes), _as_list(values[node]))
        except GraphcError:
            return True

    def wrong_alone(self, nodes: Sequence[Tensor], values: Mapping[Tensor, Any], fuse: bool) -> Tensor | None:
        """The first node that the backend computes wrongly from the right inputs. All are tried at once: compiling is
        what takes the time.
        """
        computing = [node for node in nodes if node.op.kind is not Kind.SOURCE]
        try:
            computed = iter(self.alone(computing, values, fuse))
        except Exception:
            return next((node for node in computing if self.is_wrong_alone(node, values, fuse)), None)
        for node in computing:
            expected = _as_list(values[node])
            if self.is_wrong([next(computed) for _ in expected], expected):
                return node
        return None

    def is_wrong_alone(self, node: Tensor, values: Mapping[Tensor, Any], fuse: bool) -> bool:
        try:
            return self.is_wrong(self.alone([node], values, fuse), _as_list(values[node]))
        except Exception:
            return True

    def alone(self, nodes: Sequence[Tensor], values: Mapping[Tensor, Any], fuse: bool) -> list[np.ndarray]:
        """The results of some nodes by the backend, each with its inputs given as constants."""
        results: list[Tensor] = []
        for node in nodes:
            inputs = [constant_node(values[source]) if _is_computed(source) else source for source in node.inputs]
            copy = rebuild(node, inputs)
            results += projections(copy) if isinstance(values[node], tuple) else (copy,)
        graph = Graph(self.graph.parameters, results, (), "alone")
        return self.by_backend(compile_graph(graph, self.choice, self.options, (), fuse=fuse))


def _is_computed(node: Tensor) -> bool:
    """Whether it has a value that must be given: constants and sizes have theirs in the graph."""
    return node.op.kind is not Kind.SOURCE or node.op.name in ("parameter", "placeholder", "run_key", "variable")


def _as_list(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, tuple) else [value]
