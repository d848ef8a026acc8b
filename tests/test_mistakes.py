"""Mistakes of newcomers: each program in `mistakes/` fails because of its marked line, with a message that teaches.

The messages stand in `mistakes/golden/`. GRAPHC_UPDATE_GOLDEN=1 rewrites them: read what changed as somebody who sees
graphc for the first time.
"""

import functools
import inspect
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mistakes import MARK, MISTAKES, Mistake, Model, X, Y

import graphc as gc
from graphc.builder.graph import current_graph
from graphc.errors import ArgumentError, GraphcError, GraphMismatchError
from graphc.lowering import registry

GOLDEN = Path(__file__).parent / "mistakes" / "golden"
MOST_INNER_FRAMES = 10  # between the user's line and the end of a traceback
DECLARED = {"v", "z"}  # what programs call variables and placeholders that they add

each_mistake = pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())


@pytest.fixture(autouse=True)
def no_backends_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is installed is no part of a message's golden."""
    monkeypatch.setattr(registry, "_entry_points", dict)


class Place(NamedTuple):
    """The marked line of a program."""

    file: str
    first: int
    number: int
    text: str


def marked_line(program: Callable[..., Any]) -> Place:
    lines, first = inspect.getsourcelines(program)
    (found,) = [index for index, line in enumerate(lines) if line.rstrip().endswith(MARK)]
    return Place(inspect.getfile(program), first, first + found, lines[found].strip())


def failure(mistake: Mistake, model: Model) -> GraphcError:
    with pytest.raises(mistake.error) as caught:
        mistake.program(model)
    return caught.value


def normalised(error: GraphcError, place: Place) -> str:
    """The message, with the lines of the program counted from its decorator, and those of the model not at all."""

    def replace(match: re.Match[str]) -> str:
        file, number = match[1], int(match[2])
        return f"{file}:{f'+{number - place.first}' if place.file.endswith(file) else 'N'}"

    text = re.sub(r"[^\s(]*(mistakes/\w+\.py):(\d+)", replace, f"{type(error).__name__}: {error}\n")
    return re.sub(r"one of \d+ names", "one of N names", text)


@each_mistake
def test_the_message_names_the_line_and_teaches(mistake: Mistake) -> None:
    place, error = marked_line(mistake.program), failure(mistake, Model())
    line = error.origins.lines[0]
    assert (line.file, line.number) == (place.file, place.number)
    assert f"{Path(place.file).name}:{place.number}    {place.text}\n" in str(error)
    assert error.expected
    assert error.got
    assert error.fix
    assert " at 0x" not in str(error)
    golden = GOLDEN / f"{mistake.program.__name__}.txt"
    text = normalised(error, place)
    if os.environ.get("GRAPHC_UPDATE_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_golden_files_belong_to_mistakes() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == MISTAKES.keys()


@each_mistake
def test_the_error_is_graphcs_and_a_fitting_built_in(mistake: Mistake) -> None:
    error = failure(mistake, Model())
    assert isinstance(error, GraphcError)
    assert isinstance(error, mistake.built_in)
    assert mistake.built_in.__module__ == "builtins"
    assert type(error).__module__ == "graphc.errors"


@each_mistake
def test_the_traceback_does_not_bury_the_users_line(mistake: Mistake) -> None:
    place, error = marked_line(mistake.program), failure(mistake, Model())
    frames = traceback.extract_tb(error.__traceback__)
    users = [index for index, frame in enumerate(frames) if frame.filename == place.file]
    assert users
    assert len(frames) - 1 - users[-1] <= MOST_INNER_FRAMES
    text = "".join(traceback.format_exception(error))
    assert text.count("Traceback (most recent call last)") == 1, "one error, not a chain of them"
    message = text[text.index(error.message) :]
    assert f"{Path(place.file).name}:{place.number}" in message, "the end of the output, where one looks first"


def bits(model: Model) -> tuple[int, dict[str, bytes]]:
    """The step, and all variables but those that a program has added."""
    names = sorted(set(model.graph.variables) - DECLARED)
    return model.session.step, {name: model.session.value(name).tobytes() for name in names}


@functools.cache
def untouched() -> tuple[Any, Any, bytes, str]:
    """A model on which no mistake was made: its state, the state and the loss after a step, its code."""
    model = Model()
    before = bits(model)
    loss, _ = model.step(X, Y)
    return before, bits(model), loss.tobytes(), model.compile().plan.source()


@each_mistake
def test_nothing_is_half_done(mistake: Mistake) -> None:
    """After the error the state is what it was, and the same graph and session go on as if nothing had happened."""
    before, after, loss, source = untouched()
    model = Model()
    names = set(model.graph.names)
    error = failure(mistake, model)
    assert bits(model) == before
    assert set(model.graph.names) - names <= (set() if _declares(mistake, error) else DECLARED)
    with pytest.raises(GraphMismatchError):
        current_graph("nothing is open: that")
    assert (model.x + 1.0).guards == ()
    assert model.compile().plan.source() == source
    assert model.step(X, Y)[0].tobytes() == loss
    assert bits(model) == after


def _declares(mistake: Mistake, error: GraphcError) -> bool:
    """Whether it is a declaration that failed."""
    place = marked_line(mistake.program)
    failed = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place.file]
    return failed[-1] == place.number and ("gc.placeholder(" in place.text or "gc.Variable(" in place.text)


# --- what the programs do not show --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "0", None, [1], np.ones(2)], ids=repr)
def test_no_seed_shows_a_bare_error_of_the_generator(seed: Any) -> None:
    with pytest.raises(ArgumentError, match="cannot be a seed"):
        gc.Session(gc.Graph(), seed=seed)


def test_lines_are_found_in_code_that_is_in_no_file() -> None:
    """`python -c` and generated code of our own, as that of a dataclass, are both called "<string>"."""
    code = 'gc.CompileOptions(exactness="exakt")\n'
    for number in (1, 3):  # the first makes the generated code known
        with pytest.raises(GraphcError) as caught:
            exec(compile("\n" * (number - 1) + code, "<string>", "exec"), {"gc": gc, "__name__": "__main__"})
        assert [(line.file, line.number) for line in caught.value.origins.lines] == [("<string>", number)]


def test_names_of_a_users_own_backends_package_are_not_taken_for_ours() -> None:
    code = compile("def f():\n    return gc.ones((2,)) + gc.ones((3,))", "/home/user/backends/layers.py", "exec")
    scope: dict[str, Any] = {"gc": gc, "__name__": "backends.layers"}
    exec(code, scope)
    with pytest.raises(GraphcError) as caught:
        scope["f"]()
    assert caught.value.origins.lines[0][:2] == ("/home/user/backends/layers.py", 2)


def test_attributes_can_be_asked_for() -> None:
    tensor = gc.ones((2,))
    assert not hasattr(gc, "summ")
    assert not hasattr(tensor, "mean")
    assert getattr(tensor, "_repr_html_", None) is None
    with pytest.raises(AttributeError) as caught:
        tensor.mean  # noqa: B018
    assert caught.value.name == "mean"
    assert "Did you mean" not in "".join(traceback.format_exception(caught.value))


def test_a_long_list_of_known_names_is_cut_to_the_near_ones() -> None:
    with pytest.raises(AttributeError) as caught:
        gc.zzz  # noqa: B018
    expected, fix = (getattr(caught.value, part) for part in ("expected", "fix"))
    assert re.fullmatch(r"one of \d+ names \(dir\(graphc\) lists them\)", expected)
    assert fix == "use one of these names"
