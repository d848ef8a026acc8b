"""The one place where the stages are strung together: graph → passes → plan → memory → program."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from graphc.backend import Capabilities
from graphc.errors import FeedError, UnsupportedError
from graphc.ir import dims
from graphc.ir.dims import Dim
from graphc.ir.graph import Graph
from graphc.ir.ledger import Hit, Ledger
from graphc.ir.tensor import tuple_elements
from graphc.lowering.backend import Program
from graphc.lowering.fuse import FUSE
from graphc.lowering.registry import Choice
from graphc.options import NO_WISHES, CompileOptions, require_folder
from graphc.passes.explain import Declined, declined_rules
from graphc.passes.manager import Context, Instrument, Pass, Record, run_passes
from graphc.passes.pipelines import DEFAULT
from graphc.plan.cost import flops, traffic
from graphc.plan.data import Plan, SlotKind
from graphc.plan.listing import listing
from graphc.plan.liveness import plan_memory
from graphc.plan.memory import Peak
from graphc.plan.ops import COPY
from graphc.plan.schedule import make_plan


class Stage(NamedTuple):
    """A stage of the compilation and the seconds it took."""

    name: str
    seconds: float


class CompiledPlan:
    """What came of a graph: the plan, the program, and the account of how they were made.

    Attributes:
        recorded, optimised: the graph before and after the passes.
        plan: steps, slots, lifetimes.
        program: the backend's code.
        choice: the backend, and why it was taken.
        ledger: every hit of every rule.
        fusion: which nodes became one and which did not, or `None` if the backend takes no groups.
        passes: what each pass did.
        stages: seconds per stage.
    """

    def __init__(
        self,
        recorded: Graph,
        optimised: Graph,
        plan: Plan,
        program: Program,
        choice: Choice,
        context: Context,
        passes: list[Record],
        stages: list[Stage],
    ) -> None:
        self.recorded = recorded
        self.optimised = optimised
        self.plan = plan
        self.program = program
        self.choice = choice
        self.ledger = context.ledger
        self.options = context.options
        self.fusion = context.fusion
        self._unfused = optimised if context.unfused is None else context.unfused
        self.passes = passes
        self.stages = stages

    def __repr__(self) -> str:
        steps = len(self.plan.steps)
        return f"<graphc.CompiledPlan {self.plan.name!r} on {self.choice.name}: {steps} steps>"

    def show(self) -> str:
        """Steps, slots and lifetimes as a table."""
        return listing(self.plan)

    def source(self) -> str:
        """The emitted code."""
        return self.program.source

    @property
    def peak_bytes(self) -> Peak:
        """The bytes of the arena that live at the same time: a formula with `evaluate(batch=…)`.

        0 where the backend plans its memory itself, as jax does: `executable.arena_bytes(…)` tells what that takes.
        """
        return self.plan.peak

    @cached_property
    def flops(self) -> Dim:
        """Floating-point operations of a run: a formula with `evaluate(batch=…)`, or an int if all sizes are static."""
        return flops(self.plan)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the symbolic sizes."""
        return dims.symbols(size for index in self.plan.feeds for size in self.plan.slots[index].type.shape)

    @property
    def stats(self) -> dict[str, Any]:
        """Numbers about the compilation; on jax also how often XLA was asked for a program (once per shape)."""
        copies = [step for step in self.plan.steps if step.op is COPY]
        return {
            "backend": self.choice.name,
            "nodes_recorded": len(self.recorded.nodes),
            "nodes_optimised": len(self.optimised.nodes),
            "steps": len(self.plan.steps),
            "copies": len(copies),
            "in_place": sum(len(step.overwrites) for step in self.plan.steps),
            "buffers": len(self.plan.intervals),
            "traffic_bytes": str(traffic(self.plan)),
            "compile_s": sum(stage.seconds for stage in self.stages),
            **{f"{stage.name}_s": stage.seconds for stage in self.stages},
            **self._program_stats(),
        }

    def _program_stats(self) -> Mapping[str, Any]:
        """Numbers that the backend keeps, and may change from run to run."""
        return getattr(self.program, "stats", {})

    def explain(self) -> str:
        """What the compiler did to which line, what it left alone, and why."""
        lines = [
            f"backend {self.choice.name} ({self.choice.reason})",
            f"{len(self.recorded.nodes)} nodes recorded, {len(self.optimised.nodes)} after the passes, "
            f"{len(self.plan.steps)} steps",
            "passes:",
        ]
        lines += [
            f"  {r.name:<14}{r.before:>7} → {r.after:<7}{r.hits:>6} hits {r.seconds * 1e3:9.2f} ms" for r in self.passes
        ]
        lines += ["rewrites:", *self._rewrites()]
        lines += ["left alone:", *(f"  {item}" for item in self._left())]
        lines += [f"assumed: {guard} ({guard.reason})  {guard.origins}" for guard in self.plan.guards]
        if self.plan.functional:
            lines.append(f"memory: planned by the backend {self.choice.name}, for each combination of sizes")
        else:
            lines += ["fused:", *(f"  {line}" for line in self.fusion.lines())] if self.fusion is not None else []
            lines.append(f"memory: peak {self.plan.peak} bytes in {len(self.plan.intervals)} buffers")
        lines += [f"{name}: {value}" for name, value in self._program_stats().items()]
        return "\n".join(lines)

    def _rewrites(self) -> list[str]:
        grouped: dict[tuple[str, ...], list[Hit]] = {}
        for hit in self.ledger.hits:
            place = str(hit.origins)
            grouped.setdefault((hit.stage, hit.rule, hit.before_text, hit.after_text, place), []).append(hit)
        found = []
        for (stage, rule, before, after, place), hits in grouped.items():
            times = f" × {len(hits)}" if len(hits) > 1 else ""
            found.append(f"  {stage}: {rule} [{hits[0].exactness}]{times}: {before} → {after}  {place}")
        return found or ["  nothing matched"]

    def _left(self) -> list[str]:
        counted: Counter[Declined] = Counter(declined_rules(self._unfused, self.options))
        found = [str(item) + (f" × {times}" if times > 1 else "") for item, times in counted.items()]
        for step in self.plan.steps:
            if step.op is not COPY:
                continue
            target = self.plan.slots[step.outputs[0]]
            why = {
                SlotKind.OUTPUT: "a result is an array of its own, and this value lives elsewhere too",
                SlotKind.STATE: "the new value cannot be computed in the variable's own memory",
            }.get(target.kind, "a commit does not read feeds, and variables that swap need a temporary")
            found.append(f"copy of {self.plan.label(step.inputs[0])}: {why}  {step.origins}")
        return found or ["nothing"]


def compile_graph(
    graph: Graph,
    choice: Choice,
    options: CompileOptions,
    pipeline: Sequence[Pass] = DEFAULT,
    instruments: Sequence[Instrument] = (),
    limit: int | None = None,
    fuse: bool = True,
) -> CompiledPlan:
    """Compiles a graph for a backend.

    Args:
        graph: as recorded.
        choice: from `registry.choose`.
        options: see there.
        pipeline: the passes.
        instruments: called with the graph after every pass.
        limit: stop rewriting after so many hits (for bisection); a group of fused nodes is a hit, too.
        fuse: whether nodes may be fused, if the backend takes groups.

    Raises:
        FeedError: a placeholder that is needed is not among the parameters.
        ArgumentError: the folder of an option cannot be written to.
        UnsupportedError: the backend cannot run the graph; all reasons are listed.
    """
    _require_feeds(graph)
    if options.cache is not None:
        require_folder("cache", options.cache)
    capabilities = choice.backend.info()
    context = Context(options, capabilities, Ledger(), limit)
    clock = [time.perf_counter()]
    fused = (FUSE,) if fuse and capabilities.fuses else ()
    optimised, records = run_passes(graph, (*pipeline, *fused), context, instruments)
    clock.append(time.perf_counter())
    plan = make_plan(optimised, capabilities, graph.guards)
    plan_memory(plan, capabilities)
    clock.append(time.perf_counter())
    foreign = _foreign_dtypes(optimised if context.unfused is None else context.unfused, capabilities)
    reasons = [*foreign, *choice.backend.unsupported(plan, options)]
    if reasons:
        by_options = not foreign and not choice.backend.unsupported(plan, NO_WISHES)
        raise UnsupportedError(
            f"the backend {choice.name!r} cannot run this graph" + " with these options" * by_options,
            expected="options that it has" if by_options else "ops and options that it has",
            got="\n".join(reasons),
            fix="change the options, or choose another backend: `graphc backends` lists them",
        )
    program = choice.backend.lower(plan, options)
    clock.append(time.perf_counter())
    names = ("passes", "plan", "lower")
    stages = [Stage(name, end - start) for name, start, end in zip(names, clock, clock[1:], strict=False)]
    return CompiledPlan(graph, optimised, plan, program, choice, context, records, stages)


def _foreign_dtypes(graph: Graph, capabilities: Capabilities) -> list[str]:
    used = dict.fromkeys(kind.dtype for node in graph.nodes for kind in tuple_elements(node))
    foreign = [dtype for dtype in used if dtype not in capabilities.dtypes]
    return [f"{dtype}: the backend neither stores it nor computes in it" for dtype in foreign]


def _require_feeds(graph: Graph) -> None:
    fed = set(graph.parameters)
    missing = [node for node in graph.nodes if node.op.name == "placeholder" and node not in fed]
    if missing:
        raise FeedError(
            "a placeholder that the fetches need is not fed: " + ", ".join(f"{node.name!r}" for node in missing),
            expected=", ".join(f"{node.name}: {node.type}" for node in missing),
            got="feeds for " + (", ".join(f"{node.name!r}" for node in graph.parameters) or "nothing"),
            fix="add it to feeds",
        )
    solvable = {dims.symbol_name(size) for node in graph.parameters for size in node.shape}
    wanted = dims.symbols(_sizes(graph))
    unknown = [name for name in wanted if name not in solvable]
    if unknown:
        raise FeedError(
            f"the symbolic size {', '.join(unknown)} cannot be told from the feeds",
            expected="a fed placeholder that has it as one of its sizes",
            got="feeds for " + (", ".join(f"{node.name}: {node.type}" for node in graph.parameters) or "nothing"),
            fix="feed such a placeholder, too",
        )


def _sizes(graph: Graph) -> list[Dim]:
    found: list[Dim] = [guard.left for guard in graph.guards] + [guard.right for guard in graph.guards]
    found += [node.attrs["dim"] for node in graph.nodes if node.op.name == "dim_value"]
    nodes = (*graph.nodes, *graph.parameters)
    shapes = dict.fromkeys(kind.shape for node in nodes for kind in tuple_elements(node))  # most nodes share a few
    return found + [size for shape in shapes for size in shape]
