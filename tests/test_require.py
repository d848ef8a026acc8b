"""GRAPHC_REQUIRE: a run that skipped what it must not skip fails."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

MODULE = """
    import pytest

    @pytest.mark.requires("llvmlite")
    def test_present(): pass

    @pytest.mark.requires("torch")
    def test_absent(): pass

    @pytest.mark.parametrize("backend", ["any", pytest.param("torch", marks=pytest.mark.requires("torch"))])
    def test_row(backend): pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite under our conftest, on a machine with llvmlite and without torch."""
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    monkeypatch.setitem(sys.modules, "llvmlite", ModuleType("llvmlite"))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delenv("GRAPHC_REQUIRE", raising=False)
    return pytester


def test_missing_is_skipped_with_the_reason(suite: pytest.Pytester) -> None:
    suite.makepyfile(MODULE)
    result = suite.runpytest("-rs", "--strict-markers")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*torch cannot be imported*"])


def test_required_fails_instead(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_REQUIRE", "llvmlite, torch")
    suite.makepyfile(MODULE)
    result = suite.runpytest()
    result.assert_outcomes(passed=2, errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*GRAPHC_REQUIRE forbids to skip torch*torch cannot be imported*"])


def test_requiring_another_thing_still_skips(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_REQUIRE", "llvmlite")
    suite.makepyfile(MODULE)
    suite.runpytest().assert_outcomes(passed=2, skipped=2)


def test_a_skip_by_other_means_fails_too(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_REQUIRE", "llvmlite")
    suite.makepyfile("""
        import pytest

        @pytest.mark.requires("llvmlite")
        def test_inside(): pytest.skip("not today")

        @pytest.mark.requires("llvmlite")
        @pytest.mark.skip(reason="never")
        def test_marked(): pass

        @pytest.mark.requires("llvmlite")
        @pytest.mark.xfail(reason="a known bug")
        def test_known_bug(): assert False
    """)
    result = suite.runpytest()
    result.assert_outcomes(failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines_random(["*skip llvmlite: *not today", "*skip llvmlite: *never"])


def test_gpu_marker_requires_a_gpu(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.makeini("[pytest]\nmarkers = gpu")
    suite.makepyfile("""
        import conftest
        import pytest

        conftest.PROBES["gpu"] = lambda: "no GPU in this test"

        @pytest.mark.gpu
        def test_device(): pass
    """)
    suite.runpytest("-rs").assert_outcomes(skipped=1)
    monkeypatch.setenv("GRAPHC_REQUIRE", "gpu")
    suite.runpytest().assert_outcomes(errors=1)


@pytest.mark.parametrize("variable", ["llvmlight", "llvmlite,llvmlight"])
def test_unknown_name_in_the_environment(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("GRAPHC_REQUIRE", variable)
    suite.makepyfile(MODULE)
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*GRAPHC_REQUIRE names llvmlight; known: *llvmlite*"])


def test_unknown_name_in_a_marker(suite: pytest.Pytester) -> None:
    suite.makepyfile("import pytest\n@pytest.mark.requires('llvmlight')\ndef test_typo(): pass")
    result = suite.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_typo names llvmlight; known: *"])
