"""Options: what is left out comes from the environment, and is held to the same rules."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, UnknownNameError, UnsupportedError

NAMES = ("GRAPHC_EXACTNESS", "GRAPHC_VERIFY", "GRAPHC_CACHE", "GRAPHC_DUMP")


@pytest.fixture(autouse=True)
def a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def small(**options: Any) -> gc.Executable:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    return gc.compile(x + 1.0, [x], backend="numpy", options=gc.CompileOptions(**options) if options else None)


def test_every_option_that_is_left_out_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gc.CompileOptions(law="strict") == gc.CompileOptions("default", law="strict", verify=False, dump=None)
    for name, value in zip(NAMES, ("exact", "1", "kept", "dumps"), strict=True):
        monkeypatch.setenv(name, value)
    found = gc.CompileOptions(law="strict")
    assert (found.exactness, found.verify, found.cache, found.dump) == ("exact", True, "kept", "dumps")
    given = gc.CompileOptions("fast", verify=False, cache=None, dump=None)
    assert (given.exactness, given.verify, given.cache, given.dump) == ("fast", False, None, None)


def test_it_is_read_when_options_are_made_and_compiles_accordingly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHC_DUMP", str(tmp_path))
    small(law="strict")
    assert len(list(tmp_path.iterdir())) > 1
    assert small().plan.options.dump == str(tmp_path)
    for name in NAMES:
        monkeypatch.setenv(name, "")  # an empty variable says nothing
    assert gc.CompileOptions() == gc.CompileOptions("default", verify=False, cache=None, dump=None)


def test_a_bad_value_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_EXACTNESS", "exakt")
    with pytest.raises(UnknownNameError, match=r"(?s)GRAPHC_EXACTNESS named 'exakt'.*did you mean 'exact'"):
        small()
    assert gc.CompileOptions(exactness="fast").exactness == "fast", "what is given is not read from elsewhere"
    monkeypatch.delenv("GRAPHC_EXACTNESS")
    monkeypatch.setenv("GRAPHC_VERIFY", "no")
    with pytest.raises(ArgumentError, match=r"GRAPHC_VERIFY[\s\S]*'no'"):
        small(law="strict")


@pytest.mark.parametrize("option", ["cache", "dump"])
def test_a_folder_that_cannot_be_written_to_is_refused(
    option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    for folder in (file, file / "below"):
        with pytest.raises(ArgumentError, match=f"CompileOptions\\({option}=…\\) or GRAPHC_{option.upper()}"):
            small(**{option: folder})
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ArgumentError, match="can be written to"):
        small(**{option: tmp_path})


def test_what_refuses_is_said_to_be_the_graph_or_the_options() -> None:
    with pytest.raises(UnsupportedError, match="'numpy' cannot run this graph with these options") as caught:
        small(threads=2)
    assert caught.value.expected == "options that it has"
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    with pytest.raises(UnsupportedError, match=r"with these options[\s\S]*erf: allocates while it runs"):
        gc.compile(gc.erf(x), [x], backend="numpy", options=gc.CompileOptions(strict=True))
    np.testing.assert_array_equal(small()([1.0]), [2.0])


WISHES: dict[str, dict[str, Any]] = {
    "exactness": {"exactness": "exact"},
    "strict": {"strict": True},
    "memory_limit": {"memory_limit": 1 << 20},
    "threads": {"threads": 2},
    "precision": {"precision": "default"},
    "law": {"law": "strict"},
    "cache": {"cache": ""},
    "deterministic": {"deterministic": False},
    "verify": {"verify": True},
    "dump": {"dump": ""},
}


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.requires("jax"))])
def test_the_guide_says_which_options_a_backend_refuses(backend: str, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
    table = guide[guide.index("| option | meaning | refused by |") :].partition("\n\n")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \|.*\|([^|]*)\|$", table))
    assert rows.keys() == WISHES.keys() == set(gc.CompileOptions.__slots__)
    with gc.Graph():
        x = gc.placeholder("x", ("n", 3))
        y = x @ gc.ones((3, 2)) + 1.0
    refused = set()
    for option, wish in WISHES.items():
        folder = dict.fromkeys(wish.keys() & {"cache", "dump"}, tmp_path)
        try:
            gc.compile(y, [x], backend=backend, options=gc.CompileOptions(**wish | folder))
        except UnsupportedError:
            refused.add(option)
    assert refused == {option for option, by in rows.items() if backend in by.strip().split(", ")}
