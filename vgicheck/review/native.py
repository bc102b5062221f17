"""Replaying refutations in compiled 32-bit C: a second reading of a run, which shares nothing with the evaluator.

The run's words are assigned, the entry is called, and every cell that the run was given or wrote must hold what the
evaluator left there; of a check in the code, the compiled check must fail.  Of what C leaves undefined, a compiler
shows only what its own checks see, so that their silence confirms nothing and denies nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from proofs.generations import Generation

from ..c.native import NativeError, NativeResult, compile_unit
from ..engine.verdict import Obligation, Replay, Verdict
from .review import Review

SECONDS = 10.0
"""What one run may take, wall clock."""

CHECKS = {
    "in-bounds": ("bounds", "object-size"),
    "no-undefined": ("shift-exponent", "integer-divide-by-zero", "null"),
}
"""Which of gcc's checks look for what breaks which property."""

FAULTS = {
    "in-bounds": ("signal SIGILL", "signal SIGSEGV"),
    "no-undefined": ("signal SIGILL", "signal SIGSEGV", "signal SIGFPE"),
}
"""How a run with those checks ends when one of them fails, or the processor notices first."""

LIMITS = ("time limit", "memory limit", "malformed answer")
LONGEST_CLAIM = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """What compiled C said of a run: neither text where it confirmed it."""

    unconfirmed: str = ""
    differs: str = ""


def confirm(found: Review, generation: Generation) -> Review:
    """Replay every refutation of a review natively: compile and run code of the patch, in the sandbox of `native`.

    A refutation that compiled C confirms is `replayed` in `native` too; one with which it disagrees becomes `unknown`;
    of one that it cannot show, `unconfirmed` says why.
    """
    return replace(found, obligations=tuple(_confirmed(o, found, generation) for o in found.obligations))


def _confirmed(o: Obligation, found: Review, generation: Generation) -> Obligation:
    if o.verdict is not Verdict.REFUTED or o.replay is None:
        return o
    outcome = _outcome(o.replay, found.units[o.replay.size].text, {generation.size_macro: str(o.replay.size)})
    if outcome.differs:
        return replace(o, verdict=Verdict.UNKNOWN, reason=outcome.differs, run=None)
    if outcome.unconfirmed:
        return replace(o, unconfirmed=outcome.unconfirmed)
    return replace(o, run=o.run and replace(o.run, replayed=(*o.run.replayed, "native")))


def _outcome(wanted: Replay, text: str, defines: dict[str, str]) -> Outcome:
    """Compile the unit and run it once."""
    if wanted.obstacle:
        return Outcome(unconfirmed=wanted.obstacle)
    if not wanted.claim and not wanted.outputs:
        return Outcome(unconfirmed="the run neither reads nor writes a cell that C can show")
    try:
        with compile_unit(
            text,
            [lvalue for lvalue, _ in wanted.inputs],
            ", ".join([f"{wanted.entry}()"] * wanted.calls),
            [expression for expression, _, _ in wanted.outputs],
            defines={**defines, "VGICHECK_NATIVE": "1"},
            sanitize=CHECKS.get(_property(wanted), ()) if wanted.undefined else (),
            seconds=SECONDS,
        ) as program:
            result = program.run([value for _, value in wanted.inputs])
    except NativeError as error:
        return Outcome(unconfirmed=str(error))
    if result.trap in LIMITS:
        return Outcome(unconfirmed=result.trap or "")
    if wanted.undefined:
        return _undefined(wanted, result)
    return _claimed(wanted, result) if wanted.claim else _ended(wanted, result)


def _property(wanted: Replay) -> str:
    return wanted.claim.partition(": ")[0]


def _undefined(wanted: Replay, result: NativeResult) -> Outcome:
    if result.trap == _trapped(wanted.claim) or result.trap in FAULTS[_property(wanted)]:
        return Outcome()
    return Outcome(unconfirmed=f"gcc's checks do not see this ({', '.join(CHECKS[_property(wanted)])})")


def _claimed(wanted: Replay, result: NativeResult) -> Outcome:
    if result.trap == _trapped(wanted.claim):
        return Outcome()
    ending = f"ends with `{result.trap}`" if result.trap else "returns"
    return Outcome(differs=f"compiled C {ending}, where the evaluator sees `{wanted.claim}` fail")


def _ended(wanted: Replay, result: NativeResult) -> Outcome:
    if result.trap:
        return Outcome(differs=f"compiled C ends with `{result.trap}`, where the evaluator sees the function return")
    for (expression, bits, value), word in zip(wanted.outputs, result.values, strict=True):
        native = word & ((1 << bits) - 1)
        if native != value:
            return Outcome(differs=f"compiled C leaves {native:#x} in {expression}, the evaluator {value:#x}")
    return Outcome()


def _trapped(claim: str) -> str:
    """A claim as a trap tells it: so many bytes, and what is no printable ASCII replaced."""
    text = claim.encode()[:LONGEST_CLAIM].decode("ascii", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
