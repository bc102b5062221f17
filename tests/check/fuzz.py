"""Mutated, truncated and random C, read and judged: nothing of it may end in a traceback, or in a proof of what was not read.

A case is the example down to the end of some function, early ones more often, and then spoilt: it is read, and one in
`JUDGED_ONE_IN` is judged as well.  `python -m tests.check.fuzz [CASES [SEED]]` runs as many as it is told to, 10,000
unless told otherwise, and ends with status 1 at the first that is wrong.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

from proofs.bindings import vgic
from tests.mutated import mutated
from vgicheck.c.ir import Unsupported
from vgicheck.c.stubs import linux
from vgicheck.check import rules
from vgicheck.check.check import wanted_of
from vgicheck.check.entries import entries
from vgicheck.check.items import items
from vgicheck.check.reading import Part, Reading, read
from vgicheck.check.tree import Files
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
LINES = (EXAMPLE / "vgic.c").read_text().split("\n")
ENDS = [i.last for i in items("\n".join(LINES)) if i.kind == "function"]
JUDGED_ONE_IN = 50
SLOWEST = 60.0
"""Seconds that a case may take."""
PIECES = (
    "{", "}", "(", ")", ";", "#if 1", "#else", "#endif", "#define X(", "/*", "*/", '"', "'", "\\", "0x", "goto out;",
    "switch (", "case 1:", "return", "while (1)", "for (;;)", "float", "asm(\"\")", "__attribute__((", "\0", "é", "%",
    "struct s {", "typedef", "->", "[", "]", "++", "?:", "...", "sizeof", "1ULL << 64", "#include \"/etc/passwd\"", "union",
)  # fmt: skip


def case(draw: random.Random) -> str:
    """Make a text of the example."""
    last = min(draw.choice(ENDS) for _ in range(2))
    return mutated("\n".join(LINES[:last]), draw, PIECES)


def reading_of(text: str, *behind: Part) -> Reading:
    """Read a text beside the example's header, with what is to stand behind it."""
    before, defines = vgic.headers(Files(EXAMPLE), ".")
    parts = [
        Part("linux.h", linux().text, ours=True),
        *(Part(h.name, h.text, ours=h.ours, judged=h.structures) for h in before),
        Part("vgic.c", text, judged=True),
        *behind,
    ]
    return read(parts, defines)


def one(text: str, judge: bool, draw: random.Random) -> str:
    """Read a text, and judge one of its functions; return what became of it. Raises `AssertionError` where wrong."""
    try:
        reading = reading_of(text)
    except Unsupported:
        return "refused"
    known = entries(reading)
    broken = reading.program.unsupported.keys()
    roots = [r for r in known.roots if not known.reach[r] & broken]
    for name in reading.unread:
        assert name not in reading.program.functions, name
    if not judge or not roots:
        return "read whole" if not reading.unread else "read in part"
    root = draw.choice(roots)
    promised = tuple(wanted_of(reading, known, (), root))
    job = rules.Job(reading, vgic.Context(root, root in known.handlers), promised, Portfolio(5))
    found = list(rules.judge(job))
    assert [(o.property, o.subject) for o in found] == list(promised)
    for o in found:
        assert o.verdict is not Verdict.PROVED or o.subject not in reading.unread, o
        assert o.verdict in (Verdict.PROVED, Verdict.NOT_RUN) or o.reason, o
    return "judged"


def main(cases: range, seed: int) -> int:
    """Run cases, by their numbers, and say what became of them."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    for n in cases:
        draw = random.Random(f"{seed} {n}")
        text = case(draw)
        start = time.monotonic()
        try:
            counts[one(text, n % JUDGED_ONE_IN == 0, draw)] += 1
        except Exception as error:
            print(f"seed {seed}, case {n}: {type(error).__name__}: {error}")
            return 1
        slowest = max(slowest, time.monotonic() - start)
        if slowest > SLOWEST:
            print(f"seed {seed}, case {n}: {slowest:.0f} s")
            return 1
    print(f"{len(cases)} cases from seed {seed}, the slowest {slowest:.1f} s: {dict(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(range(int((sys.argv[1:2] or ["10000"])[0])), int((sys.argv[2:3] or ["1"])[0])))
