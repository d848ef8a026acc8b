"""The binding to NVRTC: errors, usage, and the cache of what was compiled."""

from pathlib import Path

import pytest

from graphc.errors import BackendError
from graphc_cupy import nvrtc
from graphc_cupy.prelude import translation_unit

KERNEL = """extern "C" __global__ void __launch_bounds__(32) gc_double(
    float* gc_out0) {
    gc_out0[threadIdx.x] *= 2.0f;
}"""


def compile_once(cache: Path, source: str = KERNEL, arch: str = "sm_90") -> nvrtc.Compiled:
    return nvrtc.compile(translation_unit([source]), arch, ["gc_double"], cache=cache)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The architectures for which something has really been compiled."""
    found: list[str] = []
    real = nvrtc._compile

    def counted(library: object, source: str, arch: str) -> nvrtc.Compiled:
        found.append(arch)
        return real(library, source, arch)

    monkeypatch.setattr(nvrtc, "_compile", counted)
    return found


@pytest.mark.requires("nvrtc")
def test_usage_and_machine_code(tmp_path: Path) -> None:
    compiled = compile_once(tmp_path)
    assert compiled.cubin[:4] == b"\x7fELF"
    usage = compiled.usage["gc_double"]
    assert 0 < usage.registers < 32
    assert usage[1:] == (0, 0, 0)
    assert {"sm_80", "sm_90", "sm_100"} <= set(nvrtc.architectures())


@pytest.mark.requires("nvrtc")
def test_what_was_compiled_is_found_again_and_keyed_by_all_it_depends_on(
    tmp_path: Path, compilations: list[str]
) -> None:
    first = compile_once(tmp_path)
    assert compile_once(tmp_path) == first
    assert compilations == ["sm_90"]
    compile_once(tmp_path, arch="sm_80")
    compile_once(tmp_path, KERNEL.replace("2.0f", "3.0f"))
    assert compilations == ["sm_90", "sm_80", "sm_90"]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.requires("nvrtc")
@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "short", "one bit"])
def test_a_damaged_entry_is_compiled_again(tmp_path: Path, compilations: list[str], damage: bytes | None) -> None:
    first = compile_once(tmp_path).usage
    (entry,) = tmp_path.iterdir()
    content = bytearray(entry.read_bytes())
    content[-100] ^= 1
    entry.write_bytes(content if damage is None else damage)
    assert compile_once(tmp_path).usage == first
    assert len(compilations) == 2
    assert compile_once(tmp_path).usage == first
    assert len(compilations) == 2


@pytest.mark.requires("nvrtc")
def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, compilations: list[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert compile_once(blocked / "cache").usage == compile_once(blocked / "cache").usage
    assert len(compilations) == 2


@pytest.mark.requires("nvrtc")
def test_a_gpu_that_nvrtc_does_not_know_yet_gets_ptx(tmp_path: Path) -> None:
    compiled = compile_once(tmp_path, arch="sm_999")
    newest = max(int(name[3:]) for name in nvrtc.architectures())
    assert f".target sm_{newest}".encode() in compiled.cubin
    assert compiled.cubin.endswith(b"\0")
    assert list(compiled.usage) == ["gc_double"]
    assert compile_once(tmp_path, arch="sm_999") == compiled


@pytest.mark.requires("nvrtc")
def test_errors_show_the_printed_line(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"kernels.cu\(3\): error: .*nothing(.|\n)*3 \| gc_out0\[0\] = nothing;"):
        compile_once(
            tmp_path, 'extern "C" __global__ void gc_double(\n    float* gc_out0) {\n    gc_out0[0] = nothing;\n}'
        )
    with pytest.raises(BackendError, match=r"does not compile for sm_1(.|\n)*sm_90"):
        compile_once(tmp_path, arch="sm_1")
    with pytest.raises(BackendError, match="lacks functions"):
        nvrtc.compile(translation_unit([KERNEL]), "sm_90", ["gc_other"], cache=tmp_path)


def test_without_nvrtc_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter(["no such library"]))
    with pytest.raises(BackendError, match=r"NVRTC is not installed(.|\n)*no such library(.|\n)*graphc\[cuda13\]"):
        nvrtc._library.__wrapped__()


@pytest.mark.requires("nvrtc")
def test_without_a_folder_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    nvrtc.compile(translation_unit([KERNEL]), "sm_90", ["gc_double"])
    (entry,) = (tmp_path / "graphc").iterdir()
    assert entry.suffix == ".cubin"


def test_spills_are_read_from_the_log() -> None:
    log = """ptxas info    : Compiling entry function 'gc_a' for 'sm_90'
ptxas info    : Function properties for gc_a
    40 bytes stack frame, 54 bytes spill stores, 60 bytes spill loads
ptxas info    : Used 47 registers, used 1 barriers, 1024 bytes smem, 380 bytes cmem[0]
ptxas info    : Compiling entry function 'gc_b' for 'sm_90'
ptxas info    : Function properties for gc_b
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 360 bytes cmem[0]"""
    assert nvrtc.usage_of(log) == {"gc_a": nvrtc.Usage(47, 54, 40, 1024), "gc_b": nvrtc.Usage(8, 0, 0, 0)}
