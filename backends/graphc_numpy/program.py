"""The emitted program: one straight-line Python function per plan, in chunks, and its binding to memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from functools import partial
from itertools import chain, count, pairwise
from typing import Any

import numpy as np

from graphc import reference
from graphc.errors import Origins
from graphc.ir import dims
from graphc.ir.dims import shape_text
from graphc.ir.types import TensorType
from graphc.plan.data import Plan, Slot, SlotKind, Step
from graphc.plan.memory import pack

from . import emit

_CHUNK = 250  # steps: CPython compiles a long function in more than linear time
_BUFFER = 2048  # elements: NumPy copies broadcast operands in such pieces; 8192, its default, are no faster
_RUNTIME = (SlotKind.FEED, SlotKind.OUTPUT)

Call = Callable[..., Sequence[Any]]


def _numpy_settings() -> Context:
    """A context in which NumPy runs a plan; to enter it costs a tenth of `np.errstate`. One call at a time may."""
    context = Context()
    context.run(np.seterr, all="ignore")  # IEEE 754 answers are the law; warnings are not
    context.run(np.setbufsize, _BUFFER)
    return context


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
    """Some consecutive steps: what they need from outside, and their lines."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}  # name → comment
        self.runtime: dict[int, None] = {}  # feeds and outputs
        self.views: dict[int, None] = {}  # views of those
        self.body: list[str] = []
        self.commit: list[str] = []
        self.after: list[str] = []


class NumpyProgram:
    """Emits at once; `bind` makes arrays and calls the emitted `bind` functions, which compile nothing.

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
        self._dying = self._deaths() if poison else {}
        self._chunks = [self._emit_chunk(range(a, b)) for a, b in self._ranges()]
        self._sources = [self._chunk_source(number, chunk) for number, chunk in enumerate(self._chunks)]
        self._sources.append(self._main_source())
        self._binders = [self._compiled(number, text) for number, text in enumerate(self._sources)]

    @property
    def source(self) -> str:
        """The emitted Python code."""
        return "\n\n".join(self._sources)

    # --- emission ---------------------------------------------------------------------------------------------

    def _ranges(self) -> list[tuple[int, int]]:
        edges = [*range(0, self.plan.commit, _CHUNK), self.plan.commit]
        ranges = [(a, b) for a, b in pairwise(edges) if b > a]
        if self.plan.commit < len(self.plan.steps):
            ranges.append((self.plan.commit, len(self.plan.steps)))
        return ranges

    def _emit_chunk(self, positions: range) -> _Chunk:
        chunk = _Chunk()
        for position in positions:
            self._emit_step(chunk, position)
        if chunk.commit:
            chunk.bound["committed"] = "counts the run"
            chunk.commit.append("committed,")
        return chunk

    def _emit_step(self, chunk: _Chunk, position: int) -> None:
        step = self.plan.steps[position]
        lines = emit.lines(step, self._operands(chunk, step))
        if position < self.plan.commit:
            target = chunk.body
        elif self.plan.slots[step.outputs[0]].kind is SlotKind.OUTPUT:
            target = chunk.after  # a fresh result cannot be prepared for; nothing in the commit reads it
        else:
            chunk.commit.append(f"# {self._headline(step)}")
            chunk.commit += [line.as_partial() + "," for line in lines]
            chunk.commit += [f"partial({name}.fill, 255)," for name in self._poisoned(chunk, position)]
            return
        target.append(f"# {self._headline(step)}")
        target += map(str, lines)
        target += [f"{name}.fill(255)" for name in self._poisoned(chunk, position)]

    def _headline(self, step: Step) -> str:
        return f"{step.op.name}: {self._type_text(step.outputs[0])}  {self._place_text(step.origins)}"

    def _type_text(self, index: int) -> str:
        kind = self.plan.slots[index].type
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

    def _chunk_source(self, number: int, chunk: _Chunk) -> str:
        views = [self._view_line(chunk, index) for index in chunk.views]
        arguments = ", ".join(self.names[index] for index in chunk.runtime)
        lines = [f"def bind_{number}(values):"]
        if chunk.bound:
            lines.append("    (")
            lines += [f"        {name},  # {comment}" for name, comment in chunk.bound.items()]
            lines.append("    ) = values")
        if chunk.commit:
            lines += ["    commit = (", *(f"        {line}" for line in chunk.commit), "    )"]
        lines.append(f"    def run_{number}({arguments}):")
        body = [*views, *chunk.body]
        if chunk.commit:
            body.append("deque(map(call, commit), 0)")
        lines += [f"        {line}" for line in (*body, *chunk.after, "return")]
        lines.append(f"    return run_{number}")
        return "\n".join(lines) + "\n"

    def _main_source(self) -> str:
        """The function that a call enters: makes the results, runs the chunks."""
        outputs = dict.fromkeys(self.plan.results)
        names = [f"run_{number}" for number in range(len(self._chunks))]
        shapes = [f"shape_{self.names[index]}" for index in outputs]
        lines = ["def bind_main(values):"]
        if names or shapes:
            lines.append(f"    {', '.join((*names, *shapes))}, = values")
        lines.append(f"    def run({', '.join(self.names[index] for index in self.plan.feeds)}):")
        for index in outputs:
            name = self.names[index]
            lines.append(f"        {name} = empty(shape_{name}, '{self.plan.slots[index].type.dtype}')")
        for name, chunk in zip(names, self._chunks, strict=True):
            lines.append(f"        {name}({', '.join(self.names[index] for index in chunk.runtime)})")
        lines.append(f"        return [{', '.join(self.names[index] for index in self.plan.results)}]")
        lines.append("    return run")
        return "\n".join(lines) + "\n"

    def _compiled(self, number: int, text: str) -> Callable[[list[Any]], Any]:
        scope: dict[str, Any] = {**emit.NAMESPACE, "np": np, "__name__": "graphc_numpy.emitted"}
        exec(compile(text, f"<graphc plan {self.plan.name} part {number}>", "exec"), scope)
        is_main = number == len(self._chunks)
        binder: Callable[[list[Any]], Any] = scope["bind_main" if is_main else f"bind_{number}"]
        return binder

    # --- binding ----------------------------------------------------------------------------------------------

    def bind(
        self, sizes: Mapping[str, int], state: Sequence[np.ndarray], committed: Callable[[], object]
    ) -> tuple[Call, int]:
        """Packs the arena for these sizes and binds the code to it."""
        arena, offsets = self._make_arena(sizes)
        values = self._bound_arrays(sizes, state, arena, offsets)
        values["committed"] = committed
        values.update({name: reference.bind_attr(value, sizes) for name, value in self._extra.items()})
        if self.poison:
            for buffer, interval in enumerate(self.plan.intervals):
                nbytes = dims.evaluate(interval.nbytes, sizes)
                values[f"b{buffer}"] = arena[offsets[buffer] : offsets[buffer] + nbytes]
            arena.fill(255)
        runs = [
            bind([values[name] for name in chunk.bound])
            for bind, chunk in zip(self._binders, self._chunks, strict=False)
        ]
        shapes = [
            reference.static_shape(self.plan.slots[index].type.shape, sizes)
            for index in dict.fromkeys(self.plan.results)
        ]
        run = self._binders[-1]([*runs, *shapes])
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
