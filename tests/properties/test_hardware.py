"""The hardware half's properties: proved of the model, refuted of its mutants, and the same in both readings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import FunctionType
from typing import Any, get_type_hints

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model import gich, gicv, lr, vmcr
from model.gich import LR_INDICES
from model.hardware import TRANSITIONS
from properties import cpu_interface, hardware
from properties import vmcr as properties_vmcr
from properties.cpu_interface import CPU_INTERFACE
from properties.property import At, Part, Property
from properties.vmcr import VMCR
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.solve import ask
from vgicheck.engine.values import Width, alike, and_, fresh, is_symbolic, not_, same

HARDWARE = (*hardware.HARDWARE, *VMCR, *CPU_INTERFACE)
BY_ID = {p.id: p for p in HARDWARE}
IMPLIED = {"guest-access-abstracts"}
"""Properties that follow from others, and are there to tie one transition to another: `chosen-lr-cycle` and
`ack-eoi-cycle` together say as much.
"""
TIMEOUT = 10.0  # a part takes a second or two; a solver that needs more has lost its way
SEARCH = 300_000  # solver's steps for a counterexample: what is there, is found with less

# (function of the model, its text, the text of the mutant): properties that are refuted of the mutant; a set of one
# says that no other is.
MUTANTS: dict[tuple[Callable[..., Any], str, str], set[str]] = {
    # the codec
    (lr.decode, "field_of(word, 29, 28)", "field_of(word, 30, 29)"): {"lr-codec"},
    (lr.decode, "field_of(word, 27, 23)", "field_of(word, 26, 22)"): {"lr-codec"},
    (lr.decode, "field_of(word, 12, 10), width=3", "field_of(word, 13, 11), width=3"): {"lr-codec"},
    (lr.decode, "and_(not_(hw), bit(word, 19))", "bit(word, 19)"): {"lr-codec"},
    (lr.decode, "ite(hw, field_of(word, 19, 10), 0, width=10)", "field_of(word, 19, 10)"): {"lr-codec"},
    (lr.encode, "(lr.state, 2)", "(lr.state ^ 1, 2)"): {"lr-codec", "elrsr-eisr-exact", "misr-exact"},
    (lr.encode, "(0, 3)", "(7, 3)"): {"lr-codec"},
    (lr.encode, "ite(lr.hw, lr.physical_id, software, width=10)", "lr.physical_id | software"): {
        "lr-codec", "elrsr-eisr-exact", "misr-exact",
    },
    (lr.encode, "(0, 6), (lr.cpuid, 3)", "(lr.cpuid, 3), (0, 6)"): {"lr-codec"},
    (lr.legal_word, "22, 20", "22, 21"): {"lr-codec"},
    (lr.legal_word, "18, 13", "18, 12"): {"lr-codec"},
    (lr.canonical, "and_(lr.cpuid == 0, not_(lr.eoi))", "lr.cpuid == 0"): {"lr-codec"},
    # VMCR
    (vmcr.decode_vmcr, "field_of(word, 31, 27)", "field_of(word, 30, 26)"): {"vmcr-codec"},
    (vmcr.encode_vmcr, "(vmcr.bp, 3), (vmcr.abp, 3)", "(vmcr.abp, 3), (vmcr.bp, 3)"): {
        "vmcr-codec", "active-priorities",
    },
    (vmcr.legal_vmcr, "26, 24", "26, 25"): {"vmcr-codec"},
    (vmcr.write_vmcr, "at_least(MIN_ABP, vmcr.abp)", "vmcr.abp"): {"vmcr-codec"},
    (vmcr.write_ctlr, "abp=vmcr.abp, ", ""): {"vmcr-codec"},
    (vmcr.write_pmr, "field_of(word, 7, 3)", "field_of(word, 4, 0)"): {"vmcr-codec"},
    (vmcr.write_bpr, "MIN_BP", "MIN_ABP"): {"vmcr-codec"},
    (vmcr.write_abpr, "abp=", "bp="): {"vmcr-codec"},
    # ELRSR, EISR and VTR
    (gich.is_empty, "or_(lr.hw, not_(lr.eoi))", "True"): {"elrsr-eisr-exact"},
    (gich.is_empty, "or_(lr.hw, not_(lr.eoi))", "not_(lr.eoi)"): {"elrsr-eisr-exact"},
    (gich.is_empty, "lr.state == LRState.INVALID", "lr.state != LRState.PENDING"): {"elrsr-eisr-exact"},
    (gich.elrsr, "implemented(gich, lr_index), ", ""): {"elrsr-eisr-exact"},
    (gich.is_ended, "not_(lr.hw), ", ""): {"elrsr-eisr-exact", "misr-exact"},
    (gich.is_ended, "lr.state == LRState.INVALID, ", ""): {"elrsr-eisr-exact", "misr-exact"},
    (gich.eisr, "implemented(gich, lr_index), ", ""): {"elrsr-eisr-exact"},
    (gich.vtr, "gich.nr_lr - 1", "gich.nr_lr"): {"vtr-exact"},
    (gich.vtr, "(4, 3), (4, 3)", "(4, 3), (5, 3)"): {"vtr-exact"},
    # MISR
    (gich.misr, "any_register(gich, is_ended)", "eisr(gich, 0)"): {"misr-exact"},
    (gich.conditions, "and_(hcr.uie, not_(two))", "not_(two)"): {"misr-exact"},
    (gich.conditions, "hcr.eoicount != 0", "hcr.eoicount == 1"): {"misr-exact"},
    (gich.misr, "any_register(gich, is_pending)", "is_pending(gich.lr[0])"): {"misr-exact"},
    (gich.misr, "any_register(gich, is_pending)", "any_register(gich, lambda lr: bit(lr.state, 0))"): {
        "misr-exact",
    },
    (gich.conditions, "vgrp0e=and_(hcr.vgrp0eie, vmcr.grp0_en)", "vgrp0e=and_(hcr.vgrp0eie, vmcr.grp1_en)"): {"misr-exact"},
    (gich.conditions, "and_(hcr.vgrp0die, not_(vmcr.grp0_en))", "hcr.vgrp0die"): {"misr-exact"},
    (gich.conditions, "and_(hcr.vgrp1eie, vmcr.grp1_en)", "vmcr.grp1_en"): {"misr-exact"},
    (gich.conditions, "hcr.vgrp1die", "hcr.vgrp0die"): {"misr-exact"},
    (gich.two_valid, "or_(two, and_(one, valid))", "or_(two, valid)"): {"misr-exact"},
    (gich.two_valid, "or_(two, and_(one, valid))", "two"): {"misr-exact"},
    (gich.is_valid, "!= LRState.INVALID", "== LRState.PENDING"): {"misr-exact"},
    (gich.asserted, "hcr.en, ", ""): {"misr-exact"},
    (gich.asserted, "encode_misr(status) != 0", "encode_misr(status) == 1"): {"misr-exact"},
    (gich.encode_misr, "flag(status.u)", "flag(status.eoi)"): {"misr-exact"},
    (gich.encode_hcr, "flag(hcr.uie)", "flag(hcr.en)"): {"misr-exact"},
    # a given list register, and a given id
    (gich.acknowledge, "gich.hcr.en, ", ""): {"chosen-lr-cycle"},
    (gich.taken_up, "LRState.ACTIVE", "LRState.PENDING_ACTIVE"): {
        "chosen-lr-cycle", "ack-eoi-cycle", "priority-order",
    },
    (gich.taken_up, "LRState.ACTIVE", "LRState.ACTIVE, eoi=False"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.acknowledge, "implemented(gich, lr_index), ", ""): {"chosen-lr-cycle"},
    (gich.acknowledge, "is_pending(gich.lr[lr_index])", "bit(gich.lr[lr_index].state, 0)"): {"chosen-lr-cycle"},
    (gich.end_of_interrupt, "and_(ordinary, found)", "found"): {"chosen-lr-cycle", "guest-access-abstracts"},
    (gich.end_of_interrupt, "and_(ordinary, not_(found))", "not_(found)"): {
        "chosen-lr-cycle", "guest-access-abstracts",
    },
    (gich.end_of_interrupt, "and_(ordinary, not_(found))", "False"): {"chosen-lr-cycle", "guest-access-abstracts"},
    (gich.ended, "LRState.INVALID, LRState.PENDING", "LRState.INVALID, LRState.ACTIVE"): {
        "chosen-lr-cycle", "ack-eoi-cycle",
    },
    (gich.ended, "lr.state == LRState.ACTIVE", "True"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.ended, "replace(lr, state", "replace(lr, eoi=False, state"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.counted, "hcr.eoicount + 1", "hcr.eoicount | 1"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.counted, "replace(hcr, eoicount", "replace(hcr, uie=False, eoicount"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.first_in_service, "reversed(list(registers(gich)))", "registers(gich)"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.first_in_service, "lr.virtual_id == virtual_id", "True"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.in_service, "or_(lr.state == LRState.ACTIVE, lr.state == LRState.PENDING_ACTIVE)",
     "lr.state == LRState.ACTIVE"): {"chosen-lr-cycle", "ack-eoi-cycle"},
    (gich.guest_access, "ite(action.acknowledges", "ite(not_(action.acknowledges)"): {"chosen-lr-cycle"},
    # the CPU interface: who goes first
    (gicv.winner, "lt(b_priority, a_priority)", "lt(a_priority, b_priority)"): {"priority-order"},
    (gicv.winner, "lt(b_priority, a_priority)", "le(b_priority, a_priority)"): {"priority-order"},
    (gicv.winner, "or_(not_(a_there), lt(b_priority, a_priority))", "not_(a_there)"): {"priority-order"},
    (gicv.winner, "or_(a_there, b_there)", "a_there"): {"priority-order"},
    (gicv.highest_pending, "is_pending(lr), ", ""): {"priority-order"},
    (gicv.group_enabled, "vmcr.grp1_en, vmcr.grp0_en", "vmcr.grp0_en, vmcr.grp1_en"): {"priority-order"},
    (gicv.sufficient, "lt(lr.priority, gich.vmcr.pri_mask)", "le(lr.priority, gich.vmcr.pri_mask)"): {
        "priority-order", "signal-exact",
    },
    (gicv.sufficient, "group_priority(gich.vmcr, lr)", "lr.priority"): {
        "priority-order", "signal-exact",
    },
    (gicv.group_priority, "or_(not_(lr.group1), vmcr.cbpr)", "not_(lr.group1)"): {"iar-value", "active-priorities"},
    (gicv.group_priority, "le(dropped + 3, vmcr.abp)", "le(dropped + 2, vmcr.abp)"): {
        "signal-exact", "active-priorities",
    },
    (gicv.running_priority, "running = IDLE_PRIORITY", "running = IDLE_PRIORITY - 1"): {"running-priority"},
    (gicv.running_priority, "reversed(LEVELS)", "LEVELS"): {
        "running-priority", "signal-exact",
    },
    (gicv.signalled, "gich.hcr.en, ", ""): {"iar-value", "signal-exact"},
    # what an access does and says
    (gicv.acknowledge_signalled, "asserted, n = signalled(gich)",
     "asserted, n = and_(gich.hcr.en, highest_pending(gich)[0]), highest_pending(gich)[1]"): {
        "priority-order", "iar-value",
    },
    (gicv.acknowledge_signalled, "lr.group1, not_(gich.vmcr.ack_ctl)", "not_(gich.vmcr.ack_ctl)"): {
        "priority-order", "iar-value",
    },
    (gicv.acknowledge_signalled, "or_(not_(aliased), lr.group1)", "True"): {"priority-order"},
    (gicv.acknowledge_signalled, "GROUP1_ONLY, SPURIOUS", "SPURIOUS, SPURIOUS"): {"iar-value"},
    (gicv.acknowledge_signalled, "gich.apr & (1 << b) != 0, ", ""): {"active-priorities"},
    (gicv.acknowledge_signalled, "level == b", "lr.priority == b"): {"active-priorities"},
    (gicv.named, "ite(lr.hw, 0, lr.cpuid, width=3)", "lr.cpuid"): {"iar-value", "signal-exact"},
    (gicv.named, "lr.virtual_id", "lr.physical_id"): {"iar-value", "signal-exact"},
    (gicv.lines, "gich.vmcr.fiq_en, ", ""): {"signal-exact"},
    (gicv.read_hppir, "ite(refused, GROUP1_ONLY", "ite(not_(refused), GROUP1_ONLY"): {"signal-exact"},
    (gicv.read_ahppir, ", gich.lr[n].group1", ""): {"signal-exact"},
    (gicv.end, "value=0", "value=1"): {"iar-value"},
    (gicv.end, "gich.apr & (gich.apr - 1)", "0"): {"active-priorities"},
    (gicv.end, "and_(drops, ordinary)", "drops"): {"active-priorities"},
    (gicv.end, "and_(drops, ordinary)", "ordinary"): {"active-priorities"},
    (gicv.end, "iff(gich.vmcr.eoi_mode, not_(drops))", "True"): {"ack-eoi-cycle"},
    (gicv.end, "and_(ordinary, iff", "and_(iff"): {"ack-eoi-cycle", "guest-access-abstracts"},
    (gicv.end, "or_(not_(drops), gich.apr != 0)", "True"): {"ack-eoi-cycle"},
    (gicv.end, "when, found, lr.hw, ", "when, found, "): {"ack-eoi-cycle"},
    (gicv.end, "le(FIRST_PPI, lr.physical_id), ", ""): {"ack-eoi-cycle"},
    (gicv.end, "lr.physical_id, 0, width=10", "virtual_id, 0, width=10"): {"ack-eoi-cycle"},
    (gicv.end, "hcr=ite(counts, counted(gich.hcr), gich.hcr)", "hcr=gich.hcr"): {
        "ack-eoi-cycle", "guest-access-abstracts",
    },
    (gicv.gicv_access, "drops=register != Register.DIR", "drops=True"): {"ack-eoi-cycle", "active-priorities"},
    # what all of them lean on
    (gich.implemented, "lt(lr_index, gich.nr_lr)", "not_(lt(gich.nr_lr, lr_index))"): {
        "elrsr-eisr-exact", "misr-exact", "chosen-lr-cycle", "priority-order",
    },
}  # fmt: skip


AT: At = fresh(At, "at")
"""One arbitrary list register, interrupt and vCPU."""


def after(subject: str) -> tuple[Any, Any]:
    """Return an arbitrary state before and the state after."""
    kind, step = TRANSITIONS[subject]
    old = fresh(kind, "old")
    return old, step(old)


def claims(property_: Property) -> tuple[Any, At, Any, tuple[Part, ...]]:
    """Return an arbitrary state before, arbitrary indices, the state after, and what the property says of them."""
    old, new = after(property_.subject)
    return old, AT, new, tuple(property_.formula(old, new, AT))


claimed = cache(claims)


def solved(*constraints: Any) -> z3.ModelRef | None:
    """Return values that satisfy the constraints, or None where there are none; fail where the solvers give up."""
    answer = ask([and_(*constraints)], TIMEOUT, split=AT.lr)
    assert answer.result != "unknown", answer.reason
    return answer.model


def counterexample(part: Part) -> z3.ModelRef | None:
    """Return values that break a part, or None where a short search finds none."""
    return ask([and_(part.premise, not_(part.conclusion))], TIMEOUT, effort=SEARCH).model


def broken(parts: Sequence[Part]) -> tuple[int, z3.ModelRef]:
    """Return the first part that a short search breaks, else the first that a long one does, and the values."""
    for search in (counterexample, lambda part: solved(part.premise, not_(part.conclusion))):
        for index, part in enumerate(parts):
            values = search(part)
            if values is not None:
                return index, values
    pytest.fail("nothing breaks")


def plain(values: z3.ModelRef, value: Any) -> Any:
    """Return a symbolic value as plain Python: what the solver's values make of it."""
    if isinstance(value, Map):
        return Map.of({n: plain(values, value[n]) for n in LR_INDICES}, None)
    if is_dataclass(value):
        record: Any = type(value)
        return record(*(plain(values, getattr(value, f.name)) for f in fields(value)))
    if not is_symbolic(value):
        return value
    number = values.eval(value, model_completion=True)
    return z3.is_true(number) if z3.is_bool(number) else number.as_long()


def scalars(value: Any) -> Iterator[Any]:
    """List the words and truth values in a value, those of a map at each index of a list register."""
    if isinstance(value, Map):
        for n in LR_INDICES:
            yield from scalars(value[n])
    elif is_dataclass(value):
        for f in fields(value):
            yield from scalars(getattr(value, f.name))
    else:
        yield value


def arbitrary(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for plain values of an annotated type, with many small, extreme and equal numbers."""
    if kind is bool:
        return st.booleans()
    for extra in getattr(kind, "__metadata__", ()):
        if isinstance(extra, Width):
            top = (1 << extra.bits) - 1
            return st.sampled_from((0, 1, 2, top // 2 + 1, top)) | st.integers(0, top)
        if isinstance(extra, MapOf):
            value = arbitrary(extra.value)
            return st.builds(Map.of, st.dictionaries(st.integers(0, 63), value, max_size=5), value)
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{f.name: arbitrary(hints[f.name]) for f in fields(kind)})


def mutated(monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], text: str, other: str) -> None:
    """Replace a piece of a function's text, which occurs once, everywhere the function is known."""
    assert isinstance(function, FunctionType)
    source = inspect.getsource(function)
    assert source.count(text) == 1, f"{function.__name__} has {source.count(text)} times: {text}"
    made: dict[str, Any] = {}
    exec(compile(source.replace(text, other), f"<mutant of {function.__name__}>", "exec"), function.__globals__, made)
    mutant = made[function.__name__]
    for module in (lr, vmcr, gich, gicv, hardware, properties_vmcr, cpu_interface):
        if getattr(module, function.__name__, None) is function:
            monkeypatch.setattr(module, function.__name__, mutant)
    for name, (kind, step) in TRANSITIONS.items():
        if step is function:
            monkeypatch.setitem(TRANSITIONS, name, (kind, mutant))


def test_catalogue() -> None:
    """The hardware half's properties have ids of their own, are of transitions of the model, and are said in full."""
    assert len(BY_ID) == len(HARDWARE)
    for p in HARDWARE:
        assert p.subject in TRANSITIONS
        assert all((p.sentence, p.source, p.may_be_false, p.caught))


@pytest.mark.parametrize("property_", HARDWARE, ids=lambda p: p.id)
def test_premises_hold_at_the_last_register(property_: Property) -> None:
    """With 64 list registers, at the last of them, every premise is satisfiable that does not deny that it exists."""
    old, at, _, all_parts = claimed(property_)
    interface = getattr(old, "gich", old)
    if not hasattr(interface, "nr_lr"):
        last: tuple[Any, ...] = ()
    else:
        last = (interface.nr_lr == 64, at.lr == 63)
    unmet = {part.sentence for part in all_parts if solved(part.premise, *last) is None}
    assert unmet <= {"a list register that is not there is in neither"}


@pytest.mark.parametrize(
    ("function", "text", "other"), [pytest.param(*m, id=f"{m[0].__name__}: {m[1]} -> {m[2]}") for m in MUTANTS]
)
def test_mutant_is_refuted(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], text: str, other: str
) -> None:
    """The expected properties fail of the mutant, at states where plain Python agrees and the model passes."""
    refuted: list[tuple[Property, int, Any, At]] = []
    with monkeypatch.context() as patch:
        mutated(patch, function, text, other)
        expected = [p for p in HARDWARE if p.id in MUTANTS[function, text, other]]
        states = {subject: after(subject) for subject in {p.subject for p in expected}}
        for p in expected:
            old, new = states[p.subject]
            parts = p.formula(old, new, AT)
            index, values = broken(parts)
            plain_old, plain_at = plain(values, old), plain(values, AT)
            plain_new = TRANSITIONS[p.subject][1](plain_old)
            assert list(scalars(plain_new)) == list(scalars(plain(values, new)))
            replayed = p.formula(plain_old, plain_new, plain_at)[index]
            assert replayed.premise is True and replayed.conclusion is False
            refuted.append((p, index, plain_old, plain_at))
    for p, index, plain_old, plain_at in refuted:
        part = p.formula(plain_old, TRANSITIONS[p.subject][1](plain_old), plain_at)[index]
        assert not part.premise or part.conclusion


@pytest.mark.parametrize("id_", BY_ID)
def test_mutant_of_its_own(monkeypatch: pytest.MonkeyPatch, id_: str) -> None:
    """For each property there is a mutant that no other property refutes."""
    own = [mutant for mutant, killers in MUTANTS.items() if killers == {id_}]
    if id_ in IMPLIED:
        assert not own
        return
    function, text, other = own[0]
    for p in HARDWARE:
        claimed(p)
    with monkeypatch.context() as patch:
        mutated(patch, function, text, other)
        states = {subject: after(subject) for subject in TRANSITIONS}
        for p in HARDWARE:
            old, new = states[p.subject]
            for part, was in zip(p.formula(old, new, AT), claimed(p)[3], strict=True):
                touched = not (alike(part.premise, was.premise) and alike(part.conclusion, was.conclusion))
                assert p.id == id_ or not touched or counterexample(part) is None, (p.id, part.sentence)


@pytest.mark.parametrize("subject", TRANSITIONS)
def test_both_readings_agree(subject: str) -> None:
    """The term of each scalar of the state after, evaluated on random states, is what plain Python computes."""
    kind, step = TRANSITIONS[subject]
    old = fresh(kind, "old")
    terms = list(scalars(step(old)))

    @given(arbitrary(kind))
    @settings(max_examples=8, deadline=None, database=None)
    def agree(plain_old: Any) -> None:
        equal = (same(a, b) for a, b in zip(scalars(old), scalars(plain_old), strict=True))
        values = ask([and_(*equal)], TIMEOUT).model
        assert values is not None
        assert [plain(values, term) for term in terms] == list(scalars(step(plain_old)))

    agree()


@pytest.mark.parametrize("property_", HARDWARE, ids=lambda p: p.id)
def test_holds_on_random_plain_states(property_: Property) -> None:
    """Read as plain Python, every part gives plain truth values, and holds on random states at random indices."""
    kind, step = TRANSITIONS[property_.subject]

    @given(arbitrary(kind), arbitrary(At))
    @settings(max_examples=60, deadline=None, database=None)
    def holds(old: Any, at: At) -> None:
        for part in property_.formula(old, step(old), at):
            assert isinstance(part.premise, bool) and isinstance(part.conclusion, bool)
            assert not part.premise or part.conclusion, part.sentence

    holds()
