"""Replaying the refutations of a review in compiled C."""

from __future__ import annotations

from dataclasses import replace

from proofs.generations import Generation

from ..c.confirm import confirmed
from ..engine.verdict import Obligation
from .review import Review


def confirm(found: Review, generation: Generation) -> Review:
    """Replay every refutation of a review natively; see `confirmed`."""

    def told(o: Obligation) -> Obligation:
        size = o.replay.size if o.replay else 0
        text = found.units[size].text if size in found.units else ""
        return confirmed(o, text, {generation.size_macro: str(size)})

    return replace(found, obligations=tuple(told(o) for o in found.obligations))
