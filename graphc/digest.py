"""blake2b, of which keys are made, without the import of hashlib: that loads OpenSSL, which takes 3 ms."""

from __future__ import annotations

try:
    from _blake2 import blake2b  # hashlib hands on this very function
except ImportError:  # another Python than CPython
    from hashlib import blake2b

__all__ = ["blake2b"]
