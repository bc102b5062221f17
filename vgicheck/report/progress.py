"""How far a run is, in one line on a terminal that is written over and at last wiped."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from ..engine.verdict import Obligation, Verdict
from .text import counted

WIPE = "\r\033[K"


@dataclass(slots=True)
class Progress:
    """Written to `stream`, if that is a terminal, and nothing otherwise."""

    stream: TextIO
    _total: int = 0
    _judged: Counter[Verdict] = field(default_factory=Counter)
    _cached: int = 0
    _start: float = field(default_factory=time.monotonic)

    def begin(self, total: int) -> None:
        """So many more obligations are to be judged."""
        self._total += total

    def judged(self, obligation: Obligation) -> None:
        """One was judged, or found in the cache."""
        self._judged[obligation.verdict] += 1
        self._cached += obligation.cached
        self._show(obligation.id)

    def working(self, at: Sequence[str]) -> None:
        """A moment passed; these obligations are being judged."""
        self._show(", ".join(at))

    def line(self, latest: str) -> str:
        """Return what is shown: how many are judged, with which verdicts, for how long, and what is at hand."""
        seconds = time.monotonic() - self._start
        cached = f" ({self._cached} known)" if self._cached else ""
        verdicts = counted(self._judged)
        done = self._judged.total()
        return f"{done}/{self._total}{cached} {seconds:.0f} s: {verdicts + '; ' if verdicts else ''}{latest}"

    def _show(self, latest: str) -> None:
        if self.stream.isatty():
            columns = shutil.get_terminal_size().columns
            print(f"{WIPE}{self.line(latest)[: columns - 1]}", end="", file=self.stream, flush=True)

    def say(self, line: str) -> None:
        """Leave a line above."""
        if self.stream.isatty():
            print(f"{WIPE}{line}", file=self.stream, flush=True)

    def end(self) -> None:
        """Leave nothing."""
        if self.stream.isatty():
            print(WIPE, end="", file=self.stream, flush=True)
