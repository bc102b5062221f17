"""Verdicts, and what stands behind each: never a boolean."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of an obligation. Anything that was not understood, or not finished, is no proof."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"
    VACUOUS = "vacuous"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Location:
    """A line of the source under judgement."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Value:
    """A cell of the state: what the source calls it, and its value, with a word on what that means."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A cell before and after; `matters` where the property speaks of it."""

    name: str
    before: str
    after: str
    matters: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A step of a machine in a run: `step` was made with `arguments`, by somebody and in words."""

    step: str
    arguments: tuple[int, ...]
    by: str
    does: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that breaks a property: what it starts from, what it changes, and the line at fault.

    `violated` is the sentence that fails, `indices` the list register, interrupt and vCPU for which it does, `path`
    the lines taken.
    Inputs that are not listed are 0. `returned` is false where the path ended in something undefined.
    `replayed` names the readings in which it was seen to fail: `python`, and `native` where compiled C confirmed it.

    A run of a machine has `turns` from its initial state on, the first `prologue` of which only set it up, and says
    in `ends` what it comes to; `instance` names how small the machine is.  For any other, `start` says what kind of
    state it starts from.
    """

    violated: str
    inputs: tuple[Value, ...] = ()
    indices: tuple[Value, ...] = ()
    changes: tuple[Change, ...] = ()
    fault: Location | None = None
    path: tuple[int, ...] = ()
    returned: bool = True
    replayed: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    prologue: int = 0
    ends: tuple[str, ...] = ()
    instance: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class Assumption:
    """What a proof takes for granted of its inputs, and who guarantees it."""

    text: str
    guarantor: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A refutation's run as compiled C can repeat it: `entry` is called `calls` times in the unit built for `size`.

    It is called with `arguments`, C expressions.  `inputs` are lvalues and their values, `pointers` lvalues and what
    they lead to; what is not listed is 0.  `objects` are declarations that the unit lacks.  `outputs` are expressions,
    their width in bits and the unsigned value that the run left there.  Where the property is a check in the code,
    `claim` is that check as a native run traps with it, and `undefined` says that it is one that C does not make: of an
    access `outside` is the address that is not in its array, of a local that is used `unset` says so.  `obstacle` says
    why the run cannot be repeated.
    """

    entry: str
    calls: int
    inputs: tuple[tuple[str, int], ...] = ()
    outputs: tuple[tuple[str, int, int], ...] = ()
    claim: str = ""
    undefined: bool = False
    obstacle: str = ""
    size: int = 0
    arguments: tuple[str, ...] = ()
    pointers: tuple[tuple[str, str], ...] = ()
    objects: tuple[str, ...] = ()
    outside: str = ""
    unset: bool = False


@dataclass(frozen=True, slots=True)
class Nearest:
    """The smallest change of a generation's switches with which a property that it breaks holds.

    With it the property is `proved`, or `unknown` where only no run of the small instances breaks it.
    """

    switches: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Core:
    """The core of a run of several CPUs, as `text` for herd7; where there is none, `missing` says why."""

    text: str = ""
    missing: str = ""


@dataclass(slots=True)
class Obligation:
    """A property claimed of a subject, and its verdict.

    `reason` says, for every verdict but `proved`, in one line what is the matter. `seconds` is solver time.
    `queries` are the questions that the verdict rests on; `cached` says that all of them were answered before.
    `replay` belongs to a refutation; `unconfirmed` says why compiled C was asked and could not confirm it.
    `settled` says of an `unknown` that no limit of time had a part in it: another run would say the same.
    """

    property: str
    subject: str
    verdict: Verdict
    method: str = ""
    bounds: str = ""
    assumptions: tuple[Assumption, ...] = ()
    solvers: tuple[str, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    location: Location | None = None
    run: Run | None = None
    queries: tuple[Query, ...] = field(default=(), repr=False)
    cached: bool = False
    replay: Replay | None = field(default=None, repr=False)
    unconfirmed: str = ""
    settled: bool = False
    nearest: Nearest | None = None
    """For a generation that breaks the property: what would mend it."""
    core: Core | None = None
    """For a run of C, where it was asked for."""

    @builtins.property
    def id(self) -> str:
        """The name under which scripts find it."""
        return f"{self.subject}/{self.property}"


@dataclass(frozen=True, slots=True)
class Query:
    """A question that was sent to a solver, and the answer: `sat`, `unsat` or `unknown`.

    `digest` is the SHA-256 of its SMT-LIB text, `smtlib` that text where it is to be kept, `solvers` who gave the
    answer; `cached` says that they gave it in an earlier run.
    """

    name: str
    digest: str
    answer: str
    solvers: tuple[str, ...]
    cached: bool = False
    smtlib: str = ""
