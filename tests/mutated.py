"""Texts that are wrong: mutated, cut off, or made up."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\w+|[^\w\s]+")


def mutated(text: str, draw: random.Random, pieces: Sequence[str]) -> str:
    """Change a text in a few places, by pieces among others, cut it off, or make one up."""
    kind = draw.randrange(8)
    if kind == 0:
        return text[: draw.randrange(len(text) + 1)]
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
        new = draw.choice(("", other.group(), draw.choice(pieces), at.group() * 2))
        text = text[: at.start()] + new + text[at.end() :]
    return text
