"""What a mutant is, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from vgicheck.engine.verdict import Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A text with one small fault: the function and line of the fault, what it is, and the whole text that has it.

    `what` is the text of the expression or statement before and after; `key` names the mutant without its line, so
    that a
    list of keys outlives an edit elsewhere in the file.
    """

    function: str
    line: int
    what: str
    source: str

    @property
    def key(self) -> str:
        """The name under which the mutant is looked up."""
        return f"{self.function}: {self.what}"


class Fate(StrEnum):
    """What became of a mutant.

    `killed`: a verdict differs from that on the unmutated text; `undecided`: none does, but a question was not
    answered in time;
    `no weaker`: none does, and a property was proved to say no less than the unmutated one, of any result whatever;
    `invalid`: the text has no meaning to judge.
    """

    KILLED = "killed"
    SURVIVED = "survived"
    NO_WEAKER = "no weaker"
    UNDECIDED = "undecided"
    INVALID = "invalid"


Verdicts = Mapping[str, Verdict]
"""The verdict of each obligation, by a name for it."""


class MeaninglessError(Exception):
    """A mutated text that no function or transition can be made of; its text says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant, its fate, the first obligation that shows it, and why it is invalid or undecided."""

    mutant: Mutant
    fate: Fate
    killer: str = ""
    why: str = ""


def fate_of(mutant: Mutant, baseline: Verdicts, judged: Iterable[tuple[str, Verdict]]) -> Outcome:
    """Judge a mutant, obligation by obligation, up to the first that gives it away.

    A question without an answer gives nothing away, so that a slow machine makes no mutant look dead. Raising
    `MeaninglessError` is
    the way of `judged` to say that the text cannot be judged.
    """
    open_ones = []
    try:
        for name, verdict in judged:
            if Verdict.UNKNOWN in (verdict, baseline[name]):
                open_ones.append(name)
            elif verdict is not baseline[name]:
                return Outcome(mutant, Fate.KILLED, name)
    except MeaninglessError as cause:
        return Outcome(mutant, Fate.INVALID, why=str(cause))
    if open_ones:
        return Outcome(mutant, Fate.UNDECIDED, why=f"no answer in time: {', '.join(open_ones)}")
    return Outcome(mutant, Fate.SURVIVED)


@dataclass(frozen=True, slots=True)
class Score:
    """How a campaign went; mutants that mean the same as the original, or no less, are not among `counted`.

    `survivors` are those that no obligation gave away, undecided ones among them.
    """

    counted: int
    killed: int
    equivalent: int
    invalid: int
    survivors: tuple[Outcome, ...]

    @property
    def ratio(self) -> float:
        """The share of killed mutants among those counted, 1.0 where none is."""
        return self.killed / self.counted if self.counted else 1.0


def score(outcomes: Iterable[Outcome], equivalents: Mapping[str, str]) -> Score:
    """Add up outcomes; `equivalents` holds the reason for each key of a mutant that changes no meaning."""
    listed = list(outcomes)
    fates = Counter(o.fate for o in listed)
    alive = [o for o in listed if o.fate in (Fate.SURVIVED, Fate.UNDECIDED)]
    survivors = tuple(o for o in alive if o.mutant.key not in equivalents)
    killed = fates[Fate.KILLED]
    equivalent = fates[Fate.NO_WEAKER] + len(alive) - len(survivors)
    return Score(killed + len(survivors), killed, equivalent, fates[Fate.INVALID], survivors)


def numbered(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    """Drop mutants whose text came up before, and tell apart those that share a key: the second is ` (2)`."""
    texts: set[str] = set()
    seen: Counter[str] = Counter()
    for m in mutants:
        if m.source in texts:
            continue
        texts.add(m.source)
        seen[m.key] += 1
        count = seen[m.key]
        yield m if count == 1 else Mutant(m.function, m.line, f"{m.what} ({count})", m.source)


def sample(listed: Sequence[T], count: int) -> list[T]:
    """Choose `count` mutants or faults spread evenly over a list, the same ones every time."""
    if count >= len(listed):
        return list(listed)
    return [listed[i * len(listed) // count] for i in range(count)]
