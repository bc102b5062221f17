"""The note on QEMU names what the code has."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from oracle.quirks import Quirks

from .test_campaign import MUTANTS

NOTE = (Path(__file__).parents[2] / "notes" / "qemu.md").read_text()


def test_every_departure_is_told() -> None:
    """The table of departures has a row for each switch, in their order, and no other."""
    assert re.findall(r"^\| `(\w+)` \|", NOTE, re.MULTILINE) == [f.name for f in fields(Quirks)]


def test_number_of_faults() -> None:
    """The note counts the faults that the tests plant."""
    assert f"| {len(MUTANTS)} of {len(MUTANTS)} |" in NOTE
