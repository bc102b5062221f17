"""Texts that are no C, or not quite: 10,000 for `make slow`, a few of them else, and such as once were trouble."""

from __future__ import annotations

import random

import pytest

from tests.check import fuzz

CHUNK = 500


def test_a_sample_of_broken_texts_is_survived() -> None:
    """Mutated, truncated and random C ends in verdicts or reasons."""
    assert fuzz.main(range(6), 2012) == 0


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 10_000, CHUNK))
def test_broken_texts_are_survived(first: int) -> None:
    """The same of 10,000."""
    assert fuzz.main(range(first, first + CHUNK), 2012) == 0


@pytest.mark.parametrize(
    "text", ["", "\0", "}", "#if 1", "#error no", "int f(void) {", '#include "vgic.c"\n', "/*", "é(){}"]
)
def test_hopeless_texts_prove_nothing(text: str) -> None:
    """Texts with nothing in them that can be read have no function that is judged, but for those of the header."""
    reading = fuzz.reading_of(text)
    assert all(name in reading.unread for name, (loc, _) in reading.places.items() if loc.file == "vgic.c")
    fuzz.one(text, True, random.Random(0))
