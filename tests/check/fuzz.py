"""Mutated, truncated and random C, read and judged: nothing of it may end in a traceback, or in a proof of what was not read.

`python -m tests.check.fuzz [CASES [SEED]]` runs as many cases as it is told to, 10,000 unless told otherwise, and ends
with status 1 at the first that is wrong.  Every case is read; one in `JUDGED_ONE_IN` is judged as well.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from proofs.bindings import vgic
from vgicheck.c.ir import Unsupported
from vgicheck.c.stubs import linux
from vgicheck.check import rules
from vgicheck.check.check import wanted_of
from vgicheck.check.entries import entries
from vgicheck.check.reading import Part, Reading, read
from vgicheck.check.tree import Files
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
JUDGED_ONE_IN = 50
SLOWEST = 60.0
"""Seconds that a case may take."""
_TOKEN = re.compile(r"\w+|[^\w\s]+")
_PIECES = (
    "{", "}", "(", ")", ";", "#if 1", "#else", "#endif", "#define X(", "/*", "*/", '"', "'", "\\", "0x", "goto out;",
    "switch (", "case 1:", "return", "while (1)", "for (;;)", "float", "asm(\"\")", "__attribute__((", "\0", "é", "%",
    "struct s {", "typedef", "->", "[", "]", "++", "?:", "...", "sizeof", "1ULL << 64", "#include \"/etc/passwd\"", "union",
)  # fmt: skip


def mutated(text: str, draw: random.Random) -> str:
    """Change a text in a few places, cut it off, or make one up."""
    kind = draw.randrange(8)
    if kind == 0:
        return text[: draw.randrange(len(text))]
    if kind == 1:
        return "".join(
            chr(draw.choice((draw.randrange(128), draw.randrange(0x250)))) for _ in range(draw.randrange(400))
        )
    if kind == 2:
        lines = text.split("\n")
        first = draw.randrange(len(lines))
        del lines[first : first + draw.randrange(1, 30)]
        return "\n".join(lines)
    for _ in range(draw.randrange(1, 5)):
        tokens = list(_TOKEN.finditer(text))
        if not tokens:
            return text
        at, other = draw.choice(tokens), draw.choice(tokens)
        new = draw.choice(("", other.group(), draw.choice(_PIECES), at.group() * 2))
        text = text[: at.start()] + new + text[at.end() :]
    return text


def reading_of(text: str) -> Reading:
    """Read a text beside the example's header."""
    before, defines = vgic.headers(Files(EXAMPLE), ".")
    parts = [
        Part("linux.h", linux().text, ours=True),
        *(Part(h.name, h.text, ours=h.ours, judged=h.structures) for h in before),
        Part("vgic.c", text, judged=True),
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


def main(cases: int, seed: int) -> int:
    """Run cases and say what became of them."""
    text = (EXAMPLE / "vgic.c").read_text()
    counts: Counter[str] = Counter()
    slowest = 0.0
    for n in range(cases):
        draw = random.Random(f"{seed} {n}")
        case = mutated(text, draw)
        start = time.monotonic()
        try:
            counts[one(case, n % JUDGED_ONE_IN == 0, draw)] += 1
        except Exception as error:
            print(f"seed {seed}, case {n}: {type(error).__name__}: {error}")
            return 1
        slowest = max(slowest, time.monotonic() - start)
        if slowest > SLOWEST:
            print(f"seed {seed}, case {n}: {slowest:.0f} s")
            return 1
    print(f"{cases} cases from seed {seed}, the slowest {slowest:.1f} s: {dict(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int((sys.argv[1:2] or ["10000"])[0]), int((sys.argv[2:3] or ["1"])[0])))
