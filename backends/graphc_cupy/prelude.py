"""The C++ text that stands before printed kernels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SOURCE_NAME = "kernels.cu"
"""What compilers call the text behind the prelude in their messages; they count its lines from 1."""

PRELUDE = Path(__file__).with_name("prelude.cuh").read_text(encoding="utf-8") + f'\n#line 1 "{SOURCE_NAME}"'
"""The device functions that printed kernels call: for NVRTC, and for hosts that define `GC_HOST`."""


def translation_unit(sources: Iterable[str]) -> str:
    """Printed kernels behind the prelude."""
    return "\n".join([PRELUDE, *sources])
