"""Replaying refutations in compiled 32-bit C: a second reading of a run, which shares nothing with the evaluator.

The run's words are assigned, the entry is called, and every cell that the run was given or wrote must hold what the
evaluator left there; of a check in the code, the compiled check must fail.  What C leaves undefined is looked for in
three ways: by a compiler's own checks, by an access at the address that the evaluator names, and, of a local that is
used before it is set, by what comes of other garbage in it.  Their silence confirms nothing and denies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..engine.verdict import Obligation, Replay, Verdict
from .native import WATCHED, NativeError, NativeResult, compile_unit
from .replay import RESULT

SECONDS = 10.0
"""What one run may take, wall clock."""

CHECKS = (
    ("in-bounds: ", ("bounds", "object-size")),
    ("no-undefined: shift of ", ("shift-exponent",)),
    ("no-undefined: division ", ("integer-divide-by-zero",)),
    ("no-undefined: ", ("null",)),
)
"""Which of gcc's checks look for what breaks which claims; the first that a claim begins with."""

FAULTS = ("signal SIGILL", "signal SIGSEGV")
"""How a run with those checks ends when one of them fails, or the processor notices first."""
DIVIDED = "signal SIGFPE"

LIMITS = ("time limit", "memory limit", "malformed answer")
LONGEST_CLAIM = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """What compiled C said of a run: neither text where it confirmed it."""

    unconfirmed: str = ""
    differs: str = ""


def confirmed(o: Obligation, text: str, defines: Mapping[str, str]) -> Obligation:
    """Replay a refutation natively: compile and run code of the text, in the sandbox of `native`.

    One that compiled C confirms is `replayed` in `native` too; one with which it disagrees becomes `unknown`; of one
    that it cannot show, `unconfirmed` says why.  Other verdicts are left as they are.
    """
    if o.verdict is not Verdict.REFUTED or o.replay is None:
        return o
    return told(o, _outcome(o.replay, text, defines))


def told(o: Obligation, outcome: Outcome) -> Obligation:
    """Take note of what compiled C said of a refutation."""
    if outcome.differs:
        return replace(o, verdict=Verdict.UNKNOWN, reason=outcome.differs, run=None)
    if outcome.unconfirmed:
        return replace(o, unconfirmed=outcome.unconfirmed)
    return replace(o, run=o.run and replace(o.run, replayed=(*o.run.replayed, "native")))


def _outcome(wanted: Replay, text: str, defines: Mapping[str, str]) -> Outcome:
    if wanted.obstacle:
        return Outcome(unconfirmed=wanted.obstacle)
    if not wanted.claim and not wanted.outputs:
        return Outcome(unconfirmed="the run neither reads nor writes a cell that C can show")
    try:
        if wanted.undefined:
            return _undefined(wanted, text, defines)
        result = _run(wanted, text, defines)
    except NativeError as error:
        return Outcome(unconfirmed=str(error))
    if result.trap in LIMITS:
        return Outcome(unconfirmed=result.trap or "")
    return _claimed(wanted, result) if wanted.claim else _ended(wanted, result)


def _run(wanted: Replay, text: str, defines: Mapping[str, str], **how: Any) -> NativeResult:
    """Compile the unit and run it once. Raises NativeError."""
    call = f"{wanted.entry}({', '.join(wanted.arguments)})"
    observed = [expression for expression, _, _ in wanted.outputs]
    kept = f"{RESULT} = {call}" if RESULT in observed else call
    with compile_unit(
        "\n".join([text, *wanted.objects]),
        [lvalue for lvalue, _ in wanted.inputs],
        ", ".join([kept] * wanted.calls),
        observed,
        reset=", ".join(f"{lvalue} = {to}" for lvalue, to in wanted.pointers) or None,
        defines={**defines, "VGICHECK_NATIVE": "1"},
        seconds=SECONDS,
        **how,
    ) as program:
        return program.run([value for _, value in wanted.inputs])


def _undefined(wanted: Replay, text: str, defines: Mapping[str, str]) -> Outcome:
    if wanted.unset:
        # With optimisation gcc takes a local for what else is written to it.
        zero, pattern = (_run(wanted, text, defines, optimise=0, locals_are=a) for a in ("zero", "pattern"))
        if zero != pattern and not {zero.trap, pattern.trap} & {*LIMITS}:
            return Outcome()
        return Outcome(unconfirmed="what is not set does not show: compiled C leaves the same for two values of it")
    checks = next(names for begins, names in CHECKS if wanted.claim.startswith(begins))
    result = _run(wanted, text, defines, sanitize=checks)
    seen = (*FAULTS, *((DIVIDED,) if "integer-divide-by-zero" in checks else ()), _trapped(wanted.claim))
    if result.trap in seen:
        return Outcome()
    if result.trap in LIMITS:
        return Outcome(unconfirmed=result.trap or "")
    looked = f"gcc's checks do not see this ({', '.join(checks)})"
    if not wanted.outside:
        return Outcome(unconfirmed=looked)
    if _run(wanted, text, defines, optimise=0, watch=wanted.outside).trap == WATCHED:
        return Outcome()
    return Outcome(unconfirmed=f"{looked}, and nothing is read or written at {wanted.outside}")


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
            what = "returns" if expression == RESULT else "leaves"
            place = "" if expression == RESULT else f" in {expression}"
            return Outcome(differs=f"compiled C {what} {native:#x}{place}, the evaluator {value:#x}")
    return Outcome()


def _trapped(claim: str) -> str:
    """A claim as a trap tells it: so many bytes, and what is no printable ASCII replaced."""
    text = claim.encode()[:LONGEST_CLAIM].decode("ascii", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
