"""The programs in README.md and in docs run as they stand there, and print what they say that they print."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as gc

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
MODULES = {"gc": gc, "gc.init": gc.init, "gc.losses": gc.losses, "gc.metrics": gc.metrics, "gc.nn": gc.nn}
MODULES["gc.fft"] = gc.fft
MODULES["gc.linalg"] = gc.linalg
MODULES["gc.optim"] = gc.optim
MODULES["gc.random"] = gc.random

_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
_SAYS = re.compile(r"^\s*print\(.*\)\s+# (.*)$")
_PLACE = re.compile(r"\S*(guide|README)\.md:\d+")


class Block(NamedTuple):
    """A program in a document: its code, on the lines where it stands, and the output that follows it, if any."""

    code: str
    output: str | None

    def line(self, number: int) -> str:
        return self.code.splitlines()[number - 1]


def blocks(text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        yield Block("\n" * text.count("\n", 0, match.start(1)) + match[1], match[2])


def normalised(text: str) -> str:
    """Without the numbers of lines, which move whenever a document is edited, and without spaces at ends."""
    return "\n".join(line.rstrip() for line in _PLACE.sub(r"\1.md:N", text).strip().splitlines())


def run_document(text: str, name: str) -> int:
    """Runs all blocks in one namespace. Returns how many outputs have been compared."""
    printed: list[tuple[int, str]] = []

    def record(*values: object) -> None:
        printed.append((sys._getframe(1).f_lineno, " ".join(map(str, values))))

    namespace: dict[str, Any] = {"__name__": "guide", "print": record}
    compared = 0
    for block in blocks(text):
        printed.clear()
        exec(compile(block.code, name, "exec"), namespace)
        reached = {number for number, _ in printed}
        said = {n: found[1] for n, line in enumerate(block.code.splitlines(), 1) if (found := _SAYS.match(line))}
        assert said.keys() <= reached, "a print with a comment was never reached"
        for number, output in printed:
            if number in said:
                assert output == said[number], f"{name}:{number} prints another text"
        if block.output is not None:
            rest = "\n".join(output for number, output in printed if number not in said)
            assert normalised(rest) == normalised(block.output)
        compared += len(said) + (block.output is not None)
    return compared


@pytest.mark.parametrize(
    ("document", "least"),
    [("README.md", 1), ("docs/guide.md", 25), ("docs/writing-a-backend.md", 5), ("docs/array-api.md", 2)],
)
def test_the_programs_run_and_print_what_they_say(document: str, least: int, tmp_path: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    before = Path.cwd()
    os.chdir(tmp_path)  # files that a program writes
    try:
        assert run_document(text, str(ROOT / document)) >= least
    finally:
        os.chdir(before)


def test_a_backend_can_be_written_in_a_page() -> None:
    text = (ROOT / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")
    lines = [line for block in list(blocks(text))[:2] for line in block.code.strip().splitlines()]
    assert len(lines) <= 150
    assert len(line := max(lines, key=len)) <= 120, line


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1 + 1)  # 3\n```\n",
        "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n",
        "```python\nif False:\n    print(1 + 1)  # 2\n```\n",
        "```python\nfor i in range(2):\n    print(i)  # 0\n```\n",
    ],
)
def test_a_wrong_output_is_noticed(text: str) -> None:
    with pytest.raises(AssertionError):
        run_document(text, "README.md")


def named(rows: str) -> dict[str, set[str]]:
    """Module → the names in the rows of the table of public names."""
    found: dict[str, set[str]] = {}
    for module, names in re.findall(r"^\| `([\w.]+)`[^|]*\|(.*)\|$", rows, re.MULTILINE):
        found.setdefault(module, set()).update(re.findall(r"`(\w+)`", names))
    return found


def test_the_list_of_public_names_is_complete_and_has_no_others() -> None:
    _, _, rows = GUIDE.partition("## Public names\n")
    listed = named(rows)
    assert listed.keys() == MODULES.keys()
    for module, names in listed.items():
        assert names == set(MODULES[module].__all__), module


def test_every_number_and_every_option_is_explained() -> None:
    with gc.Graph():
        x = gc.placeholder("x", ("n",))
    plan = gc.compile(x + x, [x]).plan
    assert np.isfinite(plan.stats["compile_s"])
    for name in (*plan.stats, *gc.CompileOptions.__slots__):
        assert f"| `{name}` |" in GUIDE or f"`{name}`," in GUIDE or f", `{name}` |" in GUIDE, name
