"""A run of the tool as JSON, schema `vgicheck/1`: stable names, for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..engine.verdict import Location, Obligation

SCHEMA = "vgicheck/1"


def document(
    command: str, source: Mapping[str, Any], obligations: Sequence[Obligation], timed: bool, **more: Any
) -> str:
    """Return the document. Without `timed` seconds and `cached` are null, so that two runs give the same bytes."""
    counts = Counter(str(o.verdict) for o in obligations)
    content = {
        "schema": SCHEMA,
        "command": command,
        "source": dict(source),
        **more,
        "obligations": [_obligation(o, timed) for o in obligations],
        "summary": dict(sorted(counts.items())),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def location(where: Location | None) -> dict[str, Any] | None:
    """Return a place as JSON holds it."""
    return asdict(where) if where else None


def _obligation(o: Obligation, timed: bool) -> dict[str, Any]:
    return {
        "id": o.id,
        "property": o.property,
        "subject": o.subject,
        "verdict": str(o.verdict),
        "method": o.method,
        "bounds": o.bounds,
        "assumptions": [asdict(a) for a in o.assumptions],
        "solvers": list(o.solvers),
        "seconds": round(o.seconds, 3) if timed else None,
        "cached": o.cached if timed else None,
        "reason": o.reason,
        "location": location(o.location),
        "run": None if o.run is None else asdict(o.run),
        "nearest": None if o.nearest is None else asdict(o.nearest),
    }
