"""CBMC beside our own judge: the same property of the same C, from the same states, at the same sizes.

A harness is made of the text that the evaluator reads.  What is assumed of each cell that the evaluation touches, the
premise of the property and its conclusion are the very terms that we ask our solver about, written as C: so neither
side assumes what the other does not.  CBMC unrolls what loops there are, and is told how far a search of a bitmap goes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import z3

from conformance.bound import by_region
from conformance.cells import LATER, After, cell, exactly
from conformance.formulas import AFTER, BEFORE, Formulas, type_of
from model.distributor import NR_LRS
from model.gich import FIRST_SPECIAL_INTID
from mutation.c_campaign import Example, example
from proofs.bindings import functions, kvm_2012, vgic
from proofs.bindings.promise import Called, Promise
from proofs.obligations import Job, judge_function
from properties.handler import HANDLER
from properties.property import At, Part
from vgicheck.c.binding import GIVEN, Invariant, View
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Pointer, Unsupported
from vgicheck.c.judge import FEASIBLE
from vgicheck.c.lvalues import pointer
from vgicheck.c.memory import Arbitrary, Layout, Memory, is_local
from vgicheck.c.source import Unit
from vgicheck.c.summary import Evaluator
from vgicheck.check import rules
from vgicheck.check.check import reading_of
from vgicheck.check.reading import Reading
from vgicheck.check.tree import find
from vgicheck.engine.maps import Key
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.solve import Feasibility
from vgicheck.engine.values import and_, fresh, le, lt
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all

IRQS = 1024
"""VGIC_NR_IRQS of every question; there are 64 list registers."""
LIMIT = 300.0
"""Seconds that CBMC has for one question."""
OURS = 30.0
"""Seconds that one question to our solver has."""
ENTRY = "vgicheck_cbmc"
FUNCTION = "vgic_queue_irq"
HANDLER_FUNCTION = "vgic_maintenance_handler"
LOOPS = f"vgicheck_next_bit.0:{NR_LRS // 32 + 1},vgicheck_claim.0:256,vgicheck_claim.1:256"
"""How often the loops of our stubs turn: once a word, and once a character of a constant text."""
COMMON = (
    "--32",
    "--nondet-static",
    "--unwind",
    str(NR_LRS + 1),
    "--unwindset",
    LOOPS,
    "--unwinding-assertions",
    "--slice-formula",
)
BOUNDS = ("--bounds-check", "--pointer-check")
CLAIMED = "\tif (condition)\n\t\treturn;\n"
"""Where a claim of our stubs turns to what fails: a run that gets there is not looked at, here as in ours."""
_FAILED = re.compile(r"\[(\S+)\].*: FAILURE$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of the two says of a question, after so many seconds; `why` tells more of what is no verdict."""

    verdict: Verdict
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A property of a function: its harness for CBMC with the checks that it adds, and the same as our judge has it.

    `ours` reads the source, evaluates the function and asks the solver, all from the beginning.
    """

    text: str
    harness: Callable[[], str]
    checks: Sequence[str]
    defines: Mapping[str, str]
    ours: Callable[[], Verdict]


# The harness ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Harness:
    """C behind a source that assumes, calls and asserts; `layout` and the cells are those of an evaluation."""

    layout: Layout
    inputs: Arbitrary
    later: After
    _formulas: Formulas = field(init=False)
    _cells: dict[str, tuple[str, Key]] = field(default_factory=dict)
    _chosen: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What is in no cell of the C, by its constant: a global that is not known, and its type."""

    def text(self, source: str, facts: Sequence[Any], call: tuple[str, Sequence[Any]], parts: Sequence[Part]) -> str:
        """Return the source with the harness: each part is a sentence that may fail."""
        for region, known in [*self.inputs.cells.items(), *self.later.cells.items()]:
            self._cells |= {term.decl().name(): (region, key) for key, term in known.values()}
        self._formulas = Formulas(self._constant)
        assumed = [self._formulas.name(fact)[0] for fact in facts if fact is not True]
        entry, arguments = call
        called = f"{entry}({', '.join(exactly(self._formulas, a) for a in arguments)})"
        assert source.count(CLAIMED) == 1
        name = self._formulas.name
        checks = [f'__CPROVER_assert(!{name(p.premise)[0]} | {name(p.conclusion)[0]}, "{p.sentence}");' for p in parts]
        lines = [
            *self._pointers(),
            *self._formulas.lines[BEFORE],
            *(f"__CPROVER_assume({fact});" for fact in assumed),
            f"{called};",
            *self._formulas.lines[AFTER],
            *checks,
        ]
        return "\n".join(
            [
                "void vgicheck_trap(const char *what);",
                source.replace(CLAIMED, f"{CLAIMED}\t__CPROVER_assume(0);\n"),
                "void vgicheck_trap(const char *what)\n{\n\t__CPROVER_assume(0);\n}",
                *(f"static {kind} {name};" for name, kind in self._chosen.values()),
                f"void {ENTRY}(void)\n{{",
                *(f"\t{line}" for line in lines),
                "}\n",
            ]
        )

    def _constant(self, constant: Any) -> tuple[str, int]:
        name = constant.decl().name()
        region, key = self._cells.get(name, ("", ()))
        when = AFTER if region.startswith(LATER) else BEFORE
        region = region.removeprefix(LATER)
        root = re.split(r"[.\[]", region, maxsplit=1)[0]
        if region.endswith("?") or root not in self.layout.program.globals:
            chosen, kind = self._chosen.setdefault(name, (f"vgicheck_chosen_{len(self._chosen)}", type_of(constant)))
            mask = 1 if z3.is_bool(constant) else (1 << constant.size()) - 1
            return f"{chosen} & ({kind}){mask:#x}ULL", BEFORE
        indices = [self._formulas.name(k) for k in key]
        return cell(self.layout, region, key, [text for text, _ in indices], constant), max(
            [when, *(w for _, w in indices)]
        )

    def _pointers(self) -> Iterator[str]:
        """Yield C that sets up the pointers that the function finds in memory, of which each leads to one place."""
        domain = Evaluator(self.layout.program, self.inputs, INTRINSICS).domain
        for region, place in self.layout.kinds.items():
            if not isinstance(place.type, Pointer) or is_local(region):
                continue
            for key in product(*(range(n) for n in place.bounds)):
                options = list(domain.options(self.inputs.pointers(self.inputs, domain, place, key)))
                if len(options) != 1:
                    raise Unsupported(f"{region} leads to one of several places")
                yield f"{pointer(self.layout, region, key)} = {exactly(self._formulas, options[0][1])};"


@dataclass(slots=True)
class Assumed:
    """What is assumed of the cells of an evaluation, each as it is touched."""

    invariants: Mapping[str, Sequence[Invariant]]
    facts: list[Any] = field(default_factory=list)
    feasible: Feasibility = field(default_factory=lambda: Feasibility(FEASIBLE))

    def constrain(self, region: str, key: Key, value: Any) -> None:
        """Note what is assumed of a cell."""
        for fact in (i.holds(key, value) for i in self.invariants.get(region, ())):
            self.facts.append(fact)
            self.feasible.assume(fact)


def _nothing(fact: Any) -> None:
    """Cells with equal keys are one cell in C."""


# The questions ----------------------------------------------------------------------------------------------------


def questions(patch: Path, place: Path) -> Iterator[Question]:
    """Yield what is asked of a patch's handler, and of the queueing of a whole VGIC."""
    yield handler(patch, "eoi-clears-active")
    yield queueing(place)


def handler(patch: Path, name: str, edit: Callable[[str], str] = str) -> Question:
    """Return a property of the maintenance handler that a patch brings; `edit` may change the handler's text."""
    return Question(
        f"{HANDLER_FUNCTION}(): {name}",
        partial(_handler_harness, patch, name, edit),
        (),
        {size_macro(patch): str(IRQS)},
        partial(_handler_judged, patch, name, edit),
    )


def size_macro(patch: Path) -> str:
    """Return the macro by which a patch is built for so many interrupts."""
    return example(patch).generation.size_macro


def _handler_unit(patch: Path, edit: Callable[[str], str]) -> tuple[Example, Unit]:
    read = example(patch)
    return read, read.unit(HANDLER_FUNCTION, edit(read.piece(HANDLER_FUNCTION).text), IRQS)


def _formula(name: str) -> Any:
    return next(p.formula for p in HANDLER if p.id == name)


def _handler_judged(patch: Path, name: str, edit: Callable[[str], str]) -> Verdict:
    read, unit = _handler_unit(patch, edit)
    bound = kvm_2012.bound(IRQS)[HANDLER_FUNCTION]
    (found,) = judge_function(Job(unit.program, bound, IRQS, read.ours, Portfolio(OURS), (name,), tell=False))
    return found.verdict


def _handler_harness(patch: Path, name: str, edit: Callable[[str], str]) -> str:
    read, unit = _handler_unit(patch, edit)
    bound = kvm_2012.bound(IRQS)[HANDLER_FUNCTION]
    assumed = Assumed(by_region(bound.invariants))
    inputs = Arbitrary(assumed.constrain, assumed.feasible.assume, bound.pointers)
    later = After(lambda region, key, value: None, _nothing, bound.pointers, before=inputs)
    e = Evaluator(unit.program, inputs, INTRINSICS, assumed.feasible, ours=read.ours, bitmaps=bound.bitmaps)
    e.summarise(bound.entry)
    at = fresh(At, "at")
    limits = lt(at.intid, min(IRQS, FIRST_SPECIAL_INTID))
    before, after = (View(Memory(e.layout, e.domain, cells)).state(bound.abstract) for cells in (inputs, later))
    parts = _formula(name)(before, after, at)
    return Harness(e.layout, inputs, later).text(unit.text, [limits, *assumed.facts], (bound.entry, ()), parts)


def queueing(place: Path, edit: Callable[[str], str] = str) -> Question:
    """Return what vgic_queue_irq() of a whole VGIC promises, and that it stays in bounds; `edit` may change the source.

    It is asked for every vCPU and source, and for every interrupt that there is.
    """
    reading = _whole(place, edit)
    return Question(
        f"{FUNCTION}(): {_promise_of(reading).property} and in-bounds",
        partial(_queueing_harness, place, edit),
        BOUNDS,
        reading.defines,
        partial(_queueing_judged, place, edit),
    )


def _whole(place: Path, edit: Callable[[str], str]) -> Reading:
    """Read a VGIC, built for so many interrupts."""
    with tempfile.TemporaryDirectory() as folder:
        for file in place.glob("*.[ch]"):
            sized = re.sub(r"(#define\s+VGIC_NR_IRQS\s+)\d+", rf"\g<1>{IRQS}", file.read_text())
            (Path(folder) / file.name).write_text(edit(sized))
        source = find(folder)
        return reading_of(source, source.paths[0])


def _promise_of(reading: Reading) -> Promise:
    """Return what the function promises, where its caller passes an interrupt that there is."""
    (promise,) = functions.promised(reading.program, FUNCTION)
    irq = Invariant(
        f"{GIVEN}.{reading.program.functions[FUNCTION].params[2]}",
        lambda key, value: and_(le(0, value), lt(value, IRQS)),
        "irq is below VGIC_NR_IRQS",
        "the callers",
    )
    return replace(promise, assumed=lambda program, function: [*promise.assumed(program, function), irq])


def _queueing_judged(place: Path, edit: Callable[[str], str]) -> Verdict:
    reading = _whole(place, edit)
    promise = _promise_of(reading)
    asked = ((promise.property, FUNCTION), ("in-bounds", FUNCTION))
    job = rules.Job(reading, vgic.Context(FUNCTION), asked, Portfolio(OURS), promise)
    found = [o.verdict for o in rules.judge(job)]
    return next((v for v in found if v is not Verdict.PROVED), Verdict.PROVED)


def _queueing_harness(place: Path, edit: Callable[[str], str]) -> str:
    reading = _whole(place, edit)
    program, promise, context = reading.program, _promise_of(reading), vgic.Context(FUNCTION)
    function = program.functions[FUNCTION]
    own = [*vgic.invariants(program, context), *promise.assumed(program, function)]
    assumed, leads = Assumed(by_region(own)), vgic.leads(program)
    inputs = Arbitrary(assumed.constrain, assumed.feasible.assume, leads, small=0, fixed=vgic.fixed(program, context))
    later = After(lambda region, key, value: None, _nothing, leads, small=0, before=inputs)
    e = Evaluator(program, inputs, INTRINSICS, assumed.feasible, ours=reading.others, follows_unset=True, by_words=True)
    given = vgic.arguments(inputs, e.layout, FUNCTION, False)
    e.from_function(FUNCTION, lambda: given)
    before, after = (View(Memory(e.layout, e.domain, cells)) for cells in (inputs, later))
    parts = list(promise.formula(Called(program, function, before, after)))
    return Harness(e.layout, inputs, later).text(reading.text, assumed.facts, (FUNCTION, given), parts)


# Asking -----------------------------------------------------------------------------------------------------------


def asked(program: str, question: Question, limit: float = LIMIT) -> Answer:
    """Ask CBMC; making the harness is not counted. Raises ValueError where it gives no verdict, with what it says."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "harness.c"
        source.write_text(question.harness())
        defined = [f"-D{name}={value}" for name, value in {**question.defines, "VGICHECK_NATIVE": "1"}.items()]
        only = ["--no-standard-checks"] if version(program) >= 6 else []
        command = [program, str(source), "--function", ENTRY, *defined, *only, *COMMON, *question.checks]
        start = time.perf_counter()
        try:
            finished = subprocess.run(command, capture_output=True, timeout=limit, text=True, check=False)
        except subprocess.TimeoutExpired:
            return Answer(Verdict.UNKNOWN, limit, f"no answer within {limit:g} s")
        return Answer(verdict_of(finished.stdout, finished.stderr), time.perf_counter() - start)


def version(program: str) -> int:
    """Return CBMC's major version."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"\d+", told)
    if found is None:
        raise ValueError(f"{program} --version says {told!r}")
    return int(found[0])


def verdict_of(told: str, complaints: str = "") -> Verdict:
    """Read CBMC's verdict off what it prints. Raises ValueError where there is none, or a loop was not unrolled."""
    failed = _FAILED.findall(told)
    if cut := [name for name in failed if ".unwind." in name or ".recursion" in name]:
        raise ValueError(f"CBMC did not unroll {cut[0]}")
    if "VERIFICATION SUCCESSFUL" in told and not failed:
        return Verdict.PROVED
    if "VERIFICATION FAILED" in told and failed:
        return Verdict.REFUTED
    raise ValueError(f"CBMC gives no verdict: {(complaints or told).strip()[-300:]}")


def judged(question: Question) -> Answer:
    """Ask our own judge, in a process of its own that has the program loaded and nothing else."""

    def timed() -> Answer:
        start = time.perf_counter()
        return Answer(question.ours(), time.perf_counter() - start)

    (answer,) = run_all([timed], 1, 10 * OURS, lambda n, reason: Answer(Verdict.UNKNOWN, 10 * OURS, reason))
    return answer


def comparison(asked_: Sequence[Question]) -> Iterator[tuple[str, str]]:
    """Yield what each says of each question, after how long, and how many times longer CBMC takes.

    Raises ValueError where the two disagree.
    """
    program = shutil.which("cbmc")
    if program is None:
        yield "CBMC", "not installed, skipped"
        return
    yield "CBMC", subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    for question in asked_:
        ours, theirs = judged(question), asked(program, question)
        yield question.text, f"{NR_LRS} list registers, {IRQS:,} interrupts"
        yield "  ours, from the text to the verdict", f"{ours.verdict.value}, {ours.seconds:.1f} s {ours.why}".rstrip()
        if theirs.verdict is Verdict.UNKNOWN:
            yield "  CBMC", f"{theirs.why}; CBMC / ours more than {theirs.seconds / ours.seconds:.0f}"
            continue
        yield (
            "  CBMC",
            f"{theirs.verdict.value}, {theirs.seconds:.1f} s; CBMC / ours {theirs.seconds / ours.seconds:.1f}",
        )
        if ours.verdict is not theirs.verdict:
            raise ValueError(f"{question.text}: ours {ours.verdict.value}, CBMC {theirs.verdict.value}")
