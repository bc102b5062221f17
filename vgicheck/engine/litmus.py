"""Litmus tests: a few accesses on a few CPUs, run in every order, with and without store buffers, or written for herd7.

With store buffers each CPU's stores may be seen by others after its own later loads.  A CPU's stores stay in order, a
full barrier waits until all of them are seen, and so does nothing else: taking a lock orders what comes after it, and
letting it go what came before.  That is less than the Linux kernel's memory model allows, which has stores and loads
change places in other ways too: what never happens here may happen there, and that is what the text for herd7 is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Write:
    """WRITE_ONCE(*name, value), where register `when` is not zero, if one is named; with `unless`, where it is."""

    name: str
    value: int
    when: str = ""
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """register = READ_ONCE(*name)."""

    register: str
    name: str


@dataclass(frozen=True, slots=True)
class Swap:
    """register = xchg(name, value), one access to others; `relaxed`, it is xchg_relaxed(), which orders nothing."""

    register: str
    name: str
    value: int
    relaxed: bool = True


@dataclass(frozen=True, slots=True)
class Barrier:
    """A barrier by its name: smp_mb(), smp_rmb() or smp_wmb(), of which only the first waits for stores to be seen."""

    name: str = "smp_mb"


@dataclass(frozen=True, slots=True)
class Lock:
    """spin_lock(name)."""

    name: str


@dataclass(frozen=True, slots=True)
class Unlock:
    """spin_unlock(name)."""

    name: str


FULL = "smp_mb"
"""The barrier that waits for stores."""
Access = Write | Read | Swap | Barrier | Lock | Unlock


@dataclass(frozen=True, slots=True)
class Litmus:
    """Programs of some CPUs, and an outcome that is asked about: variables and, as in "1:r0", registers of a CPU.

    What `initial` does not name is zero at first; `notes` are remarks on accesses, by the CPU and their place there.
    Raises `ValueError` where the outcome speaks of what no CPU reads or writes.
    """

    name: str
    cpus: tuple[tuple[Access, ...], ...]
    outcome: Mapping[str, int]
    initial: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[tuple[int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {*self.variables, *(f"{n}:{a.register}" for n, a in self._reads())}
        for what in self.outcome:
            if what not in known:
                raise ValueError(f"{self.name}: the outcome speaks of {what}, which no CPU reads or writes")
        for n, a in self._writes():
            for register in filter(None, (a.when, a.unless)):
                if f"{n}:{register}" not in known:
                    raise ValueError(f"{self.name}: CPU {n} asks for {register}, which it does not read")

    def _reads(self) -> Iterator[tuple[int, Read | Swap]]:
        return ((n, a) for n, cpu in enumerate(self.cpus) for a in cpu if isinstance(a, Read | Swap))

    @property
    def settled(self) -> dict[str, int]:
        """The registers of the outcome that are read once, with their values there: what they hold then stays."""
        read = Counter(f"{n}:{a.register}" for n, a in self._reads())
        return {what: value for what, value in self.outcome.items() if read[what] == 1}

    def _writes(self) -> Iterator[tuple[int, Write]]:
        return ((n, a) for n, cpu in enumerate(self.cpus) for a in cpu if isinstance(a, Write))

    @property
    def variables(self) -> tuple[str, ...]:
        """The shared variables, in the order in which they are first named."""
        return tuple(dict.fromkeys(a.name for cpu in self.cpus for a in cpu if isinstance(a, Write | Read | Swap)))

    @property
    def locks(self) -> tuple[str, ...]:
        """The locks."""
        return tuple(dict.fromkeys(a.name for cpu in self.cpus for a in cpu if isinstance(a, Lock | Unlock)))


@dataclass(frozen=True, slots=True)
class _State:
    """Where each CPU is, its registers, the stores that only it sees; memory; and who has which lock."""

    at: tuple[int, ...]
    registers: frozenset[tuple[str, int]]
    buffers: tuple[tuple[tuple[str, int], ...], ...]
    memory: frozenset[tuple[str, int]]
    held: frozenset[str]


LET_GO = "unlock "
"""What stands in a buffer, before a lock's name, for letting it go."""


def happens(test: Litmus, buffers: bool) -> bool:
    """Say whether the outcome is that of some order of the accesses, with store buffers or without."""
    empty: tuple[tuple[str, int], ...] = ()
    cpus = len(test.cpus)
    start = _State((0,) * cpus, frozenset(), (empty,) * cpus, frozenset(test.initial.items()), frozenset())
    left, seen, settled = [start], {start}, test.settled.items()
    while left:
        state = left.pop()
        new = list(_steps(test, state, buffers))
        new = [s for s in new if all(dict(s.registers).get(what, value) == value for what, value in settled)]
        if not new and _ended(test, state) and _shows(test, state):
            return True
        left += (s for s in new if s not in seen)
        seen.update(new)
    return False


def _ended(test: Litmus, s: _State) -> bool:
    return all(at == len(cpu) for at, cpu in zip(s.at, test.cpus, strict=True))


def _shows(test: Litmus, s: _State) -> bool:
    values = {**dict(s.memory), **dict(s.registers)}
    return all(values.get(what, 0) == value for what, value in test.outcome.items())


def _steps(test: Litmus, s: _State, buffers: bool) -> Iterator[_State]:
    for n, cpu in enumerate(test.cpus):
        if s.buffers[n]:
            yield _seen(s, n)
        if s.at[n] < len(cpu):
            after = _made(s, n, cpu[s.at[n]])
            if after is not None:
                after = replace(after, at=(*s.at[:n], s.at[n] + 1, *s.at[n + 1 :]))
                while not buffers and after.buffers[n]:
                    after = _seen(after, n)
                yield after


def _seen(s: _State, n: int) -> _State:
    """The oldest store of a CPU is seen by all."""
    (name, value), *rest = s.buffers[n]
    s = replace(s, buffers=(*s.buffers[:n], tuple(rest), *s.buffers[n + 1 :]))
    if name.startswith(LET_GO):
        return replace(s, held=s.held - {name.removeprefix(LET_GO)})
    return replace(s, memory=frozenset({**dict(s.memory), name: value}.items()))


def _made(s: _State, n: int, a: Access) -> _State | None:
    """Return the state after an access, None where it must wait."""
    known = dict(s.registers)
    if isinstance(a, Write):
        skipped = (a.when and not known[f"{n}:{a.when}"]) or (a.unless and known[f"{n}:{a.unless}"])
        return s if skipped else _stored(s, n, a.name, a.value)
    if isinstance(a, Read):
        own = [value for name, value in s.buffers[n] if name == a.name]
        value = own[-1] if own else dict(s.memory).get(a.name, 0)
        return replace(s, registers=frozenset({**known, f"{n}:{a.register}": value}.items()))
    if isinstance(a, Swap):
        if s.buffers[n]:
            return None
        memory = dict(s.memory)
        registers = {**known, f"{n}:{a.register}": memory.get(a.name, 0)}
        return replace(s, registers=frozenset(registers.items()), memory=frozenset({**memory, a.name: a.value}.items()))
    if isinstance(a, Barrier):
        return None if s.buffers[n] and a.name == FULL else s
    if isinstance(a, Lock):
        return None if a.name in s.held else replace(s, held=s.held | {a.name})
    return _stored(s, n, f"{LET_GO}{a.name}", 0)


def _stored(s: _State, n: int, name: str, value: int) -> _State:
    return replace(s, buffers=(*s.buffers[:n], (*s.buffers[n], (name, value)), *s.buffers[n + 1 :]))


# For herd7 -----------------------------------------------------------------------------------------


def herd7(test: Litmus, remark: Sequence[str] = ()) -> str:
    """Return a litmus test in herd7's C dialect for the Linux kernel's memory model, with a remark at its head."""
    parameters = ", ".join((*(f"int *{v}" for v in test.variables), *(f"spinlock_t *{l}" for l in test.locks)))
    lines = [f"C {test.name}", ""]
    if remark:
        lines += ["(*", *(f" * {line}" for line in remark), " *)", ""]
    first = [f"\t{name}={value};" for name, value in test.initial.items() if value]
    lines += [*(["{", *first, "}"] if first else ["{}"]), ""]
    for n, cpu in enumerate(test.cpus):
        registers = dict.fromkeys(a.register for a in cpu if isinstance(a, Read | Swap))
        lines += [f"P{n}({parameters})", "{", *(f"\tint {r};" for r in registers), *([""] if registers else [])]
        for i, a in enumerate(cpu):
            *rest, last = _text(a)
            note = test.notes.get((n, i), "")
            lines += [*rest, f"{last} // {note}" if note else last]
        lines += ["}", ""]
    wanted = " /\\ ".join(f"{what}={value}" for what, value in test.outcome.items())
    return "\n".join([*lines, f"exists ({wanted})", ""])


def _text(a: Access) -> Iterator[str]:
    if isinstance(a, Write):
        store = f"WRITE_ONCE(*{a.name}, {a.value});"
        condition = a.when or (f"!{a.unless}" if a.unless else "")
        yield from ([f"\tif ({condition})", f"\t\t{store}"] if condition else [f"\t{store}"])
    elif isinstance(a, Read):
        yield f"\t{a.register} = READ_ONCE(*{a.name});"
    elif isinstance(a, Swap):
        yield f"\t{a.register} = {'xchg_relaxed' if a.relaxed else 'xchg'}({a.name}, {a.value});"
    elif isinstance(a, Barrier):
        yield f"\t{a.name}();"
    else:
        yield f"\t{'spin_lock' if isinstance(a, Lock) else 'spin_unlock'}({a.name});"
