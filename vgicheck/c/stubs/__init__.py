"""The kernel around the code under review, as C that we wrote: names, types, widths, and what a service may answer."""

from __future__ import annotations

from pathlib import Path

from ..source import Stub


def linux() -> Stub:
    """Return the part that every kernel file needs."""
    return Stub("linux.h", (Path(__file__).parent / "linux.h").read_text())
