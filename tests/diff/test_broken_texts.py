"""The example held against itself mutated, cut off or made up: each function has its verdict, or the source is refused."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.check import fuzz
from tests.mutated import mutated
from vgicheck.check.tree import SourceError, find
from vgicheck.diff.diff import compare
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Verdict


@pytest.mark.parametrize("n", [0, *(pytest.param(n, marks=[pytest.mark.slow, pytest.mark.long]) for n in range(1, 24))])
def test_a_broken_text_is_survived(tmp_path: Path, n: int) -> None:
    """Nothing is said to be proved of a function that was not read whole."""
    draw = random.Random(f"diff {n}")
    shutil.copytree(fuzz.EXAMPLE, tmp_path / "new")
    text = mutated("\n".join(fuzz.LINES), draw, fuzz.PIECES)
    (tmp_path / "new" / "vgic.c").write_text(text, errors="replace")
    try:
        found = compare(find(str(fuzz.EXAMPLE)), find(str(tmp_path / "new")), Runner(Portfolio(2)))
    except SourceError as error:
        assert "\n" not in str(error)
        return
    assert found.functions
    unread = {f.name for f in found.functions if f.change == "unsupported"}
    assert not any(o.subject in unread for o in found.obligations if o.verdict is Verdict.PROVED)
