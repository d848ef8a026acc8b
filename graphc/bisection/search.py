"""The search for the culprit of a call: by halves through the rewrites, then node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import reference
from graphc.bisection.verdict import Culprit, IsWrong, differs
from graphc.compiler import CompiledPlan, compile_graph
from graphc.errors import GraphcError
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

_MANDATORY = "legalize"


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
        reference.evaluate(plan.optimised.outputs, self.leaves, self.sizes, values.__setitem__)
        nodes = [node for node in plan.optimised.nodes if node.op.name != "project"]
        node = self.wrong_alone(nodes, values, fuse=False)
        if node is not None:
            return self.group(node, values) if node.op in FUSED_OPS else self.kernel(node)
        reason = f"every kernel of the backend {name!r} is right by itself: its order, memory or code is not"
        return Culprit("plan", plan.plan.name, reason)

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
        reference.evaluate(body.results, given, self.sizes, inner.__setitem__)
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
    return node.op.kind is not Kind.SOURCE or node.op.name in ("parameter", "placeholder", "variable")


def _as_list(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, tuple) else [value]
