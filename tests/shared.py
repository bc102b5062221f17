"""What several tests need: the mailed page where it is at hand, and a review without a process of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from proofs.generations import october_2012
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.review.patch import read_patch
from vgicheck.review.review import Review, review

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SEEDS = sorted((ROOT.parent / "shared" / "seeds").glob("*.txt"))

needs_seed = pytest.mark.skipif(not SEEDS, reason="the mailed page is not in ../shared/seeds")


@cache
def reviewed(path: Path) -> Review:
    """Return the review of a file, judged once a test run."""
    patch = read_patch(path.read_bytes(), path.name)
    return review(patch, october_2012(), Runner(Portfolio(30.0), 2))


def verdicts(found: Review) -> dict[str, str]:
    """Return the verdict of each obligation, by `function/property`."""
    return {o.id: str(o.verdict) for o in found.obligations}
