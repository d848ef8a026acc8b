"""The emitted program: one straight-line Python function per plan, in chunks, and its binding to memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from functools import partial
from itertools import chain, count
from types import FunctionType
from typing import Any

import numpy as np

from graphc import reference
from graphc.errors import Origins
from graphc.ir import dims
from graphc.ir.dims import shape_text
from graphc.ir.tensor import Tensor
from graphc.ir.types import TensorType
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.plan.memory import pack

from . import emit
from .group_code import GroupText, Names, Size, group_text
from .groups import computed

_CHUNK = 250  # ops: CPython compiles a long function in more than linear time
_BUFFER = 2048  # elements: NumPy copies broadcast operands in such pieces; 8192, its default, are no faster
_COMMIT = "deque(map(call, commit), 0)"
_RUNTIME = (SlotKind.FEED, SlotKind.OUTPUT)

Call = Callable[..., Sequence[Any]]


def _numpy_settings() -> Context:
    """A context in which NumPy runs a plan; to enter it costs a tenth of `np.errstate`. One call at a time may."""
    context = Context()
    context.run(np.seterr, all="ignore")  # IEEE 754 answers are the law; warnings are not
    context.run(np.setbufsize, _BUFFER)
    return context


def _bound_value(value: Any, sizes: Mapping[str, int]) -> Any:
    return value.bind(sizes) if isinstance(value, Size) else reference.bind_attr(value, sizes)


class _Names:
    """Names in the emitted code: a letter says where a value lives."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._words: dict[int, str] = {}
        self._taken: set[str] = set()

    def __getitem__(self, index: int) -> str:
        if index not in self._words:
            self._words[index] = self._make(index)
        return self._words[index]

    def _make(self, index: int) -> str:
        slot = self.plan.slots[index]
        if slot.kind not in (SlotKind.FEED, SlotKind.STATE):
            return self.plan.label(index)
        stem = slot.kind.value + "_" + "".join(c if c.isalnum() else "_" for c in slot.name)
        word: str = next(w for w in chain([stem], (f"{stem}_{n}" for n in count(1))) if w not in self._taken)
        self._taken.add(word)
        return word


class _Chunk:
    """Some consecutive steps: what they need from outside, and their lines. Those of a commit are calls, prepared."""

    def __init__(self, number: int, commits: bool) -> None:
        self.name = f"commit_{number}" if commits else f"run_{number}"
        self.commits = commits
        self.bound: dict[str, str] = {}  # name → comment
        self.runtime: dict[int, None] = {}  # feeds and outputs
        self.views: dict[int, None] = {}  # views of those
        self.lines: list[str] = []


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _function(name: str, parameters: Iterable[str], body: Iterable[str]) -> str:
    return "\n".join([f"def {name}(", *_indented(parameters), "):", *_indented(body)]) + "\n"


def _fixed(function: FunctionType, values: Iterable[Any]) -> FunctionType:
    """The function with values for its last parameters: as defaults, which cost a call less than anything else."""
    return FunctionType(function.__code__, function.__globals__, function.__name__, tuple(values))


class NumpyProgram:
    """Emits at once; `bind` makes arrays and fixes parameters of the emitted functions, which compiles nothing.

    Args:
        plan: with its memory planned.
        poison: fill every buffer with NaN bytes when its value dies, for tests.
    """

    def __init__(self, plan: Plan, poison: bool = False) -> None:
        self.plan = plan
        self.poison = poison
        self.names = _Names(plan)
        self._texts: dict[TensorType | Origins, str] = {}
        self._extra: dict[str, Any] = {}  # attributes, origins, functions: name → value, dims still symbolic
        self._extra_names: dict[int, str] = {}
        self._groups: list[GroupText] = []
        self._dying = self._deaths() if poison else {}
        chunks = self._emit()
        self._sources = [*map(self._chunk_source, chunks), self._main_source(chunks)]
        *parts, self._main = map(self._compiled, (*(chunk.name for chunk in chunks), "run"), self._sources)
        self._parts = [(part, tuple(chunk.bound), chunk.commits) for part, chunk in zip(parts, chunks, strict=True)]

    @property
    def source(self) -> str:
        """The emitted Python code."""
        return "\n\n".join(self._sources)

    # --- emission ---------------------------------------------------------------------------------------------

    def _emit(self) -> list[_Chunk]:
        """What comes before the commit, the commit, and results of new states: nothing in the commit reads those."""
        plan = self.plan
        last = [at for at in range(plan.commit, len(plan.steps)) if self._writes_result(plan.steps[at])]
        commit = sorted(set(range(plan.commit, len(plan.steps))) - set(last))
        chunks: list[_Chunk] = []
        for commits, positions in ((False, range(plan.commit)), (True, commit), (False, last)):
            room = 0
            for position in positions:
                if room <= 0:
                    chunks.append(_Chunk(len(chunks), commits))
                    room = _CHUNK
                self._emit_step(chunks[-1], position)
                body = plan.steps[position].attrs.get("body")
                room -= 1 if body is None else 2 * len(computed(body))
        return chunks

    def _writes_result(self, step: Step) -> bool:
        return any(self.plan.slots[index].kind is SlotKind.OUTPUT for index in step.outputs)

    def _emit_step(self, chunk: _Chunk, position: int) -> None:
        step = self.plan.steps[position]
        chunk.lines.append(f"# {self._headline(step)}")
        lines: list[emit.Line] = []
        if "body" in step.attrs:
            group = self._group(chunk, position, step)
            chunk.lines += group.commit_lines() if chunk.commits else group.run_lines()
        else:
            lines += emit.lines(step, self._operands(chunk, step))
        lines += [emit.Line(f"{name}.fill", ("255",)) for name in self._poisoned(chunk, position)]
        chunk.lines += [line.as_partial() + "," for line in lines] if chunk.commits else map(str, lines)

    def _group(self, chunk: _Chunk, position: int, step: Step) -> GroupText:
        def bound(name: str) -> str:
            chunk.bound[name] = "of a group"
            return name

        def number(node: Tensor) -> str:
            value = node.attrs["value"] if node.op.name == "constant" else Size(node)
            return self._bound(chunk, value, self._text_of(node.type))

        def operands(node: Tensor, text: Mapping[Tensor, str]) -> emit.Operands:
            return emit.Operands(
                [text[source] for source in node.inputs],
                [source.type for source in node.inputs],
                text[node],
                lambda name: self._literal(chunk, node.attrs[name]),
                lambda: self._bound(chunk, node.origins, self._place_text(node.origins)),
                lambda value, comment: self._bound(chunk, value, comment),
            )

        inputs = [self._use(chunk, index) for index in step.inputs]
        outputs = [self._use(chunk, index) for index in step.outputs]
        taken = self.plan.taken_over(step)
        group = group_text(position, step, taken, Names(inputs, outputs, bound, number, operands))
        self._groups.append(group)
        return group

    def _headline(self, step: Step) -> str:
        body = step.attrs.get("body")
        what = step.op.name if body is None else f"{step.op.name} ({len(computed(body))} ops)"
        return f"{what}: {self._type_text(step.outputs[0])}  {self._place_text(step.origins)}"

    def _type_text(self, index: int) -> str:
        return self._text_of(self.plan.slots[index].type)

    def _text_of(self, kind: TensorType) -> str:
        text = self._texts.get(kind)
        if text is None:
            text = self._texts[kind] = f"{kind.dtype}{shape_text(kind.shape)}"
        return text

    def _place_text(self, origins: Origins) -> str:
        text = self._texts.get(origins)
        if text is None:
            text = self._texts[origins] = str(origins)
        return text

    def _operands(self, chunk: _Chunk, step: Step) -> emit.Operands:
        inputs = [self._use(chunk, index) for index in step.inputs]
        return emit.Operands(
            inputs,
            [self.plan.slots[index].type for index in step.inputs],
            self._use(chunk, step.outputs[0]),
            lambda name: self._literal(chunk, step.attrs[name]),
            lambda: self._bound(chunk, step.origins, self._place_text(step.origins)),
            lambda value, comment: self._bound(chunk, value, comment),
            lambda position: self.plan.slots[step.inputs[position]].is_positive_zero,
            [self._use(chunk, index) for index in step.outputs[1:]],
        )

    def _use(self, chunk: _Chunk, index: int) -> str:
        """The name of a slot, noted as needed by the chunk."""
        name = self.names[index]
        if name in chunk.bound:
            return name
        root = self.plan.root(index)
        if root.kind not in _RUNTIME:
            chunk.bound[name] = self._type_text(index)
            return name
        chunk.runtime[root.index] = None
        if index != root.index:
            self._need_view(chunk, index)
        return name

    def _need_view(self, chunk: _Chunk, index: int) -> None:
        views = []
        while (base := self.plan.slots[index].base) is not None:
            views.append(index)
            index = base
        chunk.views.update(dict.fromkeys(reversed(views)))

    def _literal(self, chunk: _Chunk, value: Any) -> str:
        """An attribute as source: plain ones in place, others by name."""
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
            return repr(value)
        return self._bound(chunk, value, str(value))

    def _bound(self, chunk: _Chunk, value: Any, comment: str) -> str:
        """A name for a value that is made when the plan is bound."""
        name = self._extra_names.get(id(value))
        if name is None:
            name = self._extra_names[id(value)] = f"k{len(self._extra)}"
            self._extra[name] = value
        chunk.bound[name] = comment.replace("\n", " ")[:60]
        return name

    def _deaths(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for buffer, interval in enumerate(self.plan.intervals):
            found[interval.end].append(buffer)
        return found

    def _poisoned(self, chunk: _Chunk, position: int) -> list[str]:
        names = [f"b{buffer}" for buffer in self._dying.get(position, ())]
        chunk.bound.update(dict.fromkeys(names, "bytes"))
        return names

    def _view_line(self, chunk: _Chunk, index: int) -> str:
        slot = self.plan.slots[index]
        assert slot.base is not None
        assert slot.op is not None
        base, name = self.names[slot.base], self.names[index]
        function = self._bound(chunk, slot.op.array_fn, slot.op.name)
        attrs = ", ".join(f"{key}={self._literal(chunk, value)}" for key, value in slot.attrs.items())
        return f"{name} = {function}(np, {base}, {attrs})"

    def _chunk_source(self, chunk: _Chunk) -> str:
        """A function: of steps, or of the calls of a commit. `bind` fixes all parameters but feeds and results."""
        runtime = [f"{self.names[index]}," for index in chunk.runtime]
        views = [self._view_line(chunk, index) for index in chunk.views]
        bound = [f"{name},  # {comment}" for name, comment in chunk.bound.items()]
        calls = ["return (", *_indented(chunk.lines), ")"]
        body = calls if chunk.commits else [*views, *chunk.lines, "return"]
        return _function(chunk.name, [*runtime, *bound], body)

    def _main_source(self, chunks: Sequence[_Chunk]) -> str:
        """The function that a call enters: makes the results, runs the chunks."""
        outputs = [self.names[index] for index in dict.fromkeys(self.plan.results)]
        dtypes = [self.plan.slots[index].type.dtype for index in dict.fromkeys(self.plan.results)]
        body = [f"{name} = empty(shape_{name}, '{dtype}')" for name, dtype in zip(outputs, dtypes, strict=True)]
        for chunk in chunks:
            if not chunk.commits:
                body.append(f"{chunk.name}({', '.join(self.names[index] for index in chunk.runtime)})")
            elif body[-1:] != [_COMMIT]:
                body.append(_COMMIT)
        body.append(f"return [{', '.join(self.names[index] for index in self.plan.results)}]")
        fixed = [chunk.name for chunk in chunks if not chunk.commits]
        fixed += ["commit"] * (_COMMIT in body) + [f"shape_{name}" for name in outputs]
        feeds = [self.names[index] for index in self.plan.feeds]
        return _function("run", [f"{name}," for name in (*feeds, *fixed)], body)

    def _compiled(self, name: str, text: str) -> FunctionType:
        scope: dict[str, Any] = {**emit.NAMESPACE, "np": np, "__name__": "graphc_numpy.emitted"}
        exec(compile(text, f"<graphc plan {self.plan.name}: {name}>", "exec"), scope)
        function: FunctionType = scope[name]
        return function

    # --- binding ----------------------------------------------------------------------------------------------

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[np.ndarray], committed: Callable[[], object]
    ) -> tuple[Call, int]:
        """Packs the arena for these sizes and binds the code to it."""
        arena, offsets = self._make_arena(sizes)
        values = self._bound_arrays(sizes, state, arena, offsets)
        values.update({name: _bound_value(value, sizes) for name, value in self._extra.items()})
        for group in self._groups:
            buffer = self.plan.scratch_of.get(group.position)
            values.update(group.bind(sizes, None if buffer is None else arena[offsets[buffer] :]))
        if self.poison:
            for buffer, interval in enumerate(self.plan.intervals):
                nbytes = dims.evaluate(interval.nbytes, sizes)
                values[f"b{buffer}"] = arena[offsets[buffer] : offsets[buffer] + nbytes]
            arena.fill(255)
        fixed: list[Any] = []
        commit: list[Callable[[], object]] = []
        for function, names, commits in self._parts:
            arguments = [values[name] for name in names]
            if commits:
                commit += function(*arguments)
            else:
                fixed.append(_fixed(function, arguments))
        if commit:
            fixed.append((*commit, committed))
        outputs = dict.fromkeys(self.plan.results)
        fixed += [reference.static_shape(self.plan.slots[index].type.shape, sizes) for index in outputs]
        run = _fixed(self._main, fixed)
        return partial(_numpy_settings().run, run), arena.nbytes

    def _make_arena(self, sizes: Mapping[str, int]) -> tuple[np.ndarray, list[int]]:
        concrete = [(i.start, i.end, dims.evaluate(i.nbytes, sizes)) for i in self.plan.intervals]
        offsets, total = pack(concrete)
        raw = np.empty(total + 64, np.uint8)
        shift = -raw.ctypes.data % 64
        return raw[shift : shift + total], offsets

    def _bound_arrays(
        self, sizes: Mapping[str, int], state: Sequence[np.ndarray], arena: np.ndarray, offsets: list[int]
    ) -> dict[str, Any]:
        """Arrays of all slots that do not change from call to call, by name."""
        arrays: dict[int, np.ndarray] = dict(zip(self.plan.state, state, strict=True))
        shared: dict[tuple[int, Any, Any], np.ndarray] = {}
        for slot in self.plan.slots:
            if slot.index in arrays or self.plan.root(slot.index).kind in _RUNTIME:
                continue
            if slot.kind is SlotKind.ARENA:
                offset = offsets[self.plan.buffer_of[slot.index]]
                shape = reference.static_shape(slot.type.shape, sizes)
                key = (offset, shape, slot.type.dtype)
                if key not in shared:
                    shared[key] = np.ndarray(shape, slot.type.dtype.numpy, arena, offset)
                arrays[slot.index] = shared[key]
            else:
                arrays[slot.index] = self._other_array(slot, arrays, sizes)
        return {self.names[index]: array for index, array in arrays.items()}

    def _other_array(self, slot: Slot, arrays: Mapping[int, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
        if slot.kind is SlotKind.CONSTANT:
            assert slot.value is not None
            return slot.value
        attrs = reference.bind_attrs(slot.attrs, sizes)
        if slot.base is not None and slot.op is None:
            return arrays[slot.base]
        assert slot.op is not None
        assert callable(slot.op.array_fn)
        inputs: Iterable[np.ndarray] = () if slot.base is None else (arrays[slot.base],)
        array: np.ndarray = slot.op.array_fn(np, *inputs, **attrs)
        return array
