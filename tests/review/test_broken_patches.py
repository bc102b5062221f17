"""Patches that are mutated, cut off or made up: each is read, or refused in one line."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.mutated import mutated
from vgicheck.review.fragments import all_pieces, removed_functions
from vgicheck.review.patch import PatchError, read_patch

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDS = [p.read_text() for p in sorted(EXAMPLES.iterdir()) if p.suffix in (".patch", ".mbox", ".txt")]
PIECES = (
    "@@ -1,3 +1,4 @@", "@@", "@@ -0,0 +1 @@", "--- a/vgic.c", "+++ b/vgic.c", "--- /dev/null", "diff --git a/x.c b/x.c",
    "From ", "\nFrom a@example.org Mon Oct  1 09:14:26 2012\n", "Subject: ", "Content-Type: text/plain; charset=x",
    "Content-Transfer-Encoding: base64", "MIME-Version: 1.0\n", "\n\n", "\n+", "\n-", "\n ", "+", "-", "\0", "é",
    "99999999999", "rename from a", "Binary files a and b differ", "GIT binary patch", "\\ No newline at end of file",
    "{", "}", "/*", "*/", "#if 0", "#else", '"', "=?utf-8?q?x?=", "Patch", "diff mbox", "\r\n", "\u2028", "\x0c",
    "\n--\n2.1", "\udcff",
)  # fmt: skip


def survived(cases: range) -> Counter[str]:
    """Read cases, by their numbers; whatever is no `PatchError` comes through."""
    found: Counter[str] = Counter()
    for n in cases:
        draw = random.Random(f"patch {n}")
        text = mutated(draw.choice(SEEDS), draw, PIECES)
        try:
            patch = read_patch(text.encode("utf-8", "surrogateescape"), "a.patch")
        except PatchError as error:
            assert "\n" not in str(error)
            found["refused"] += 1
            continue
        pieces = [*all_pieces(patch), *(p for f in patch.files for p in removed_functions(f))]
        found["with functions" if any(p.kind == "function" for p in pieces) else "without"] += 1
    return found


def test_a_sample_of_broken_patches_is_survived() -> None:
    """Some are refused and some are not."""
    assert survived(range(300)).keys() == {"refused", "with functions", "without"}


@pytest.mark.slow
@pytest.mark.long
def test_broken_patches_are_survived() -> None:
    """The same of 10,000."""
    assert survived(range(10_000)).total() == 10_000
