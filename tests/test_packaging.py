"""The wheel: small, complete, and usable without the checkout."""

import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from graphc.lowering import registry

ROOT = Path(__file__).parents[1]
# Name → package, of all backends of our own: the wheel holds them, and its entry points name them.
BACKENDS = {name: modules[0] for name, modules in registry.BUILT_IN.items()}
ESSENTIAL = ("__init__.py", "py.typed")


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Hatchling itself, not `pip wheel`: it needs neither the network nor an isolated environment.
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel puts into site-packages."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(installed: Path, code: str) -> list[str]:
    """The lines that `code` prints where the wheel comes first on the path, outside of the checkout."""
    env = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    return run(sys.executable, "-W", "error", "-c", code, cwd=installed.parent, env=env).splitlines()


def dist_info(installed: Path) -> Path:
    [folder] = installed.glob("graphc-*.dist-info")
    return folder


def metadata(installed: Path) -> Message:
    return Parser().parsestr((dist_info(installed) / "METADATA").read_text(encoding="utf-8"))


def source_version() -> str:
    text = (ROOT / "graphc" / "__init__.py").read_text(encoding="utf-8")
    [version] = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return str(version)


def test_wheel_is_small_and_pure(wheel: Path) -> None:
    assert wheel.name == f"graphc-{source_version()}-py3-none-any.whl"
    assert wheel.stat().st_size < 1_000_000


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(top).as_posix()
        for top, package in ((ROOT, "graphc"), *((ROOT / "backends", package) for package in BACKENDS.values()))
        for path in (top / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"{package}/{name}" for package in ("graphc", *BACKENDS.values()) for name in ESSENTIAL} <= expected
    assert expected <= names
    assert {name.split("/")[0] for name in names} == {
        "graphc",
        *BACKENDS.values(),
        f"graphc-{source_version()}.dist-info",
    }


def test_metadata(installed: Path) -> None:
    fields = metadata(installed)
    assert fields["Version"] == source_version()
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Requires-Python"] == ">=3.11"
    required = {
        re.split(r"[^\w-]", line)[0].replace("-", "_")
        for line in fields.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }
    assert required == {"numpy", "ml_dtypes", "networkx", "opt_einsum", "safetensors", "rich"}
    assert (dist_info(installed) / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_entry_points(installed: Path) -> None:
    lines = (dist_info(installed) / "entry_points.txt").read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line] == [
        "[console_scripts]",
        "graphc = graphc.cli:main",
        "[graphc.backends]",
        *sorted(f"{name} = {package}:backend" for name, package in BACKENDS.items()),
    ]


def test_import_from_the_wheel(installed: Path) -> None:
    where, version, *backends = python(
        installed,
        "import graphc, importlib.util\n"
        "print(graphc.__file__, graphc.__version__, sep='\\n')\n"
        f"for package in {[*BACKENDS.values()]}: print(importlib.util.find_spec(package).origin)",
    )
    assert Path(where) == installed / "graphc" / "__init__.py"
    assert version == source_version()
    assert [Path(backend).parent for backend in backends] == [installed / package for package in BACKENDS.values()]


def test_entry_points_resolve(installed: Path) -> None:
    loaded = python(
        installed,
        "from importlib import metadata\n"
        f"[found] = metadata.distributions(name='graphc', path=[{str(installed)!r}])\n"
        "for point in found.entry_points: print(point.name, callable(point.load()), point.module)",
    )
    assert sorted(line.split()[0] for line in loaded) == sorted(["graphc", *BACKENDS])
