"""What a mutant is, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Mutant:
    """A text with one small fault: the function and line of the fault, what it is, and the whole text that has it.

    `what` is the text of the expression or statement before and after; `key` names the mutant without its line, so that a
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
    """`killed`: a verdict differs from that of the unmutated text; `invalid`: the text has no meaning to judge."""

    KILLED = "killed"
    SURVIVED = "survived"
    INVALID = "invalid"


Verdicts = Mapping[str, str]
"""The verdict of each obligation, by a name for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant, its fate, and the obligations whose verdict it changed; `why` says what makes it invalid."""

    mutant: Mutant
    fate: Fate
    killers: tuple[str, ...] = ()
    why: str = ""


def compared(mutant: Mutant, baseline: Verdicts, verdicts: Verdicts | str) -> Outcome:
    """Say what became of a mutant from its verdicts, or from the reason why it has none."""
    if isinstance(verdicts, str):
        return Outcome(mutant, Fate.INVALID, why=verdicts)
    killers = tuple(name for name, verdict in baseline.items() if verdicts.get(name) != verdict)
    return Outcome(mutant, Fate.KILLED if killers else Fate.SURVIVED, killers)


@dataclass(frozen=True, slots=True)
class Score:
    """How a campaign went; mutants that are known to mean the same as the original are not among `counted`."""

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
    equivalent = [o for o in listed if o.fate is Fate.SURVIVED and o.mutant.key in equivalents]
    survivors = tuple(o for o in listed if o.fate is Fate.SURVIVED and o.mutant.key not in equivalents)
    killed = fates[Fate.KILLED]
    return Score(killed + len(survivors), killed, len(equivalent), fates[Fate.INVALID], survivors)


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


def sample(mutants: Sequence[Mutant], count: int) -> list[Mutant]:
    """Choose `count` mutants spread evenly over a list, the same ones every time."""
    if count >= len(mutants):
        return list(mutants)
    return [mutants[i * len(mutants) // count] for i in range(count)]
