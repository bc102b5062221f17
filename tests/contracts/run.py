"""CrossHair on one contract: symbolic execution of the plain-Python reading, a path at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from crosshair.core_and_libs import analyze_function, run_checkables
from crosshair.options import AnalysisKind, AnalysisOptionSet
from crosshair.statespace import MessageType

SECONDS = 30.0
"""Processor time for one contract: several times what any needs, so that a slow machine does not change an answer."""
PATHS = 2000
"""Paths for one contract that is to be confirmed or refuted: more than any needs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What CrossHair says.

    confirmed  over all paths
    paths      how many it ran
    error      what went wrong on the path that it found; "" if none did
    call       the call of the contract that shows it
    """

    confirmed: bool
    paths: int
    error: str
    call: str


def check(function: Callable[..., None], paths: int = PATHS) -> Answer:
    """Check a function whose leading asserts are its premise, on at most this number of paths."""
    stats: Counter[str] = Counter()
    options = AnalysisOptionSet(
        analysis_kind=[AnalysisKind.asserts],
        report_all=True,
        stats=stats,
        max_iterations=paths,
        max_uninteresting_iterations=0,
        per_condition_timeout=SECONDS,
        per_path_timeout=SECONDS,
    )
    (message,) = run_checkables(analyze_function(function, options))
    if message.state in (MessageType.CONFIRMED, MessageType.CANNOT_CONFIRM):
        return Answer(message.state is MessageType.CONFIRMED, stats["num_paths"], "", "")
    found = re.fullmatch(r"(.*?):? *when calling (.*)", message.message, re.DOTALL)
    assert found, message.message
    return Answer(False, stats["num_paths"], *found.groups())
