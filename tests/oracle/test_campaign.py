"""The model against QEMU on random programs, and how small a fault in the model such programs notice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from random import Random, SystemRandom
from types import FunctionType
from typing import Any

import pytest

from model import gich, gicv, lr, vmcr
from oracle import campaign, machine, player, quirks
from oracle.campaign import KINDS, LEGAL, WILD, Kind, register_files
from oracle.machine import RESET, Operation
from oracle.player import first_difference, on_qemu, shrunk
from oracle.qtest import Qemu
from oracle.quirks import QEMU
from vgicheck.engine.values import bit, le

from .shared import needs_qemu

pytestmark = needs_qemu

OPERATIONS = 42_000
"""Of each kind."""

MUTANTS: list[tuple[Callable[..., Any], str, str]] = [
    (lr.decode, "field_of(word, 27, 23)", "field_of(word, 26, 22)"),
    (lr.encode, "flag(lr.group1)", "flag(lr.hw)"),
    (gich.decode_hcr, "lrenpie=bit(word, 2)", "lrenpie=bit(word, 3)"),
    (gich.is_ended, "lr.state == LRState.INVALID, ", ""),
    (gich.is_empty, "or_(lr.hw, not_(lr.eoi))", "True"),
    (gich.is_pending, "lr.state == LRState.PENDING", "bit(lr.state, 0)"),
    (gich.conditions, "hcr.eoicount != 0", "hcr.eoicount == 1"),
    (gich.conditions, "not_(vmcr.grp1_en)", "not_(vmcr.grp0_en)"),
    (gich.is_valid, "!= LRState.INVALID", "== LRState.PENDING"),
    (gich.asserted, "hcr.en, ", ""),
    (gich.ended, "LRState.INVALID, LRState.PENDING", "LRState.INVALID, LRState.INVALID"),
    (gich.counted, "eoicount + 1", "eoicount | 1"),
    (gich.first_in_service, "in_service(lr)", "lr.state == LRState.ACTIVE"),
    (gicv.group_priority, "le(dropped + 2, vmcr.bp)", "le(dropped + 1, vmcr.bp)"),
    (gicv.group_priority, "le(dropped + 3, vmcr.abp)", "le(dropped + 2, vmcr.abp)"),
    (gicv.group_priority, "or_(not_(lr.group1), vmcr.cbpr)", "not_(lr.group1)"),
    (gicv.running_priority, "reversed(LEVELS)", "LEVELS"),
    (gicv.winner, "lt(b_priority, a_priority)", "le(b_priority, a_priority)"),
    (gicv.sufficient, "lt(lr.priority, gich.vmcr.pri_mask)", "le(lr.priority, gich.vmcr.pri_mask)"),
    (gicv.signalled, "gich.hcr.en, ", ""),
    (gicv.lines, "gich.vmcr.fiq_en, ", ""),
    (gicv.acknowledge_signalled, "not_(gich.vmcr.ack_ctl)", "True"),
    (gicv.acknowledge_signalled, "or_(gich.apr & (1 << b) != 0, level == b)", "level == b"),
    (gicv.end, "gich.apr & (gich.apr - 1)", "gich.apr & (gich.apr >> 1)"),
    (gicv.end, "and_(when, found, lr.hw, ", "and_(found, lr.hw, "),
    (gicv.end, "or_(not_(drops), gich.apr != 0)", "True"),
    (gicv.end, "iff(gich.vmcr.eoi_mode, not_(drops))", "True"),
    (vmcr.write_bpr, "at_least(MIN_BP, field_of(word, 2, 0))", "field_of(word, 2, 0)"),
    (vmcr.write_pmr, "field_of(word, 7, 3)", "field_of(word, 4, 0)"),
]
"""A function of the model, its text, and the text of a fault."""


@pytest.fixture(scope="module")
def qemu() -> Iterator[Qemu]:
    with Qemu() as running:
        yield running


@pytest.mark.parametrize(
    "kind", [pytest.param(k, id=k.name, marks=[] if k is LEGAL else [pytest.mark.slow]) for k in KINDS]
)
def test_no_unexplained_difference(kind: Kind) -> None:
    """The model and QEMU agree on random programs, but for the departures that are known."""
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    with Qemu() as own:
        result = campaign.campaign(own, kind, OPERATIONS, seed)
    assert result.difference is None, f"seed {seed}\n{result.difference}"
    assert result.operations >= OPERATIONS


def test_register_files(qemu: Qemu) -> None:
    """MISR, EISR0 and ELRSR0 are the same on a sample of the register files, which has every word in every place."""
    compared, told = register_files(qemu, 31)
    assert told == ""
    assert compared == 65_536 // 31 + 1


@pytest.mark.parametrize(
    ("function", "text", "other"), [pytest.param(*m, id=f"{m[0].__name__}: {m[1]} -> {m[2]}") for m in MUTANTS]
)
def test_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, qemu: Qemu, function: Callable[..., Any], text: str, other: str
) -> None:
    """A fault of one expression in the model differs from QEMU within some thousand operations of wild programs."""
    assert isinstance(function, FunctionType)
    source = inspect.getsource(function)
    assert source.count(text) == 1
    made: dict[str, Any] = {}
    namespace = {**function.__globals__, "bit": bit, "le": le}
    exec(compile(source.replace(text, other), "<mutant>", "exec"), namespace, made)
    with monkeypatch.context() as patch:
        for module in (lr, vmcr, gich, gicv, quirks, machine, campaign):
            if getattr(module, function.__name__, None) is function:
                patch.setattr(module, function.__name__, made[function.__name__])
        random = Random("faults")
        programs = (WILD.make(random, campaign.LENGTH) for _ in range(200))
        assert any(first_difference(qemu, program, QEMU) for program in programs)


def test_faults_are_seen_from_the_same_programs(qemu: Qemu) -> None:
    """The programs that notice the faults show no difference on the model as it is."""
    random = Random("faults")
    assert not any(first_difference(qemu, WILD.make(random, campaign.LENGTH), QEMU) for _ in range(10))


def test_a_difference_is_shrunk(monkeypatch: pytest.MonkeyPatch, qemu: Qemu) -> None:
    """What is shown is a program of which no operation and no bit can be left out."""
    monkeypatch.setattr(gicv, "running_priority", lambda gich: 0xFF)
    random = Random(5)
    differences = (first_difference(qemu, WILD.make(random, 60), QEMU) for _ in range(50))
    found = next(d for d in differences if d is not None and "rpr" in d.fields)
    small = shrunk(found, lambda program: first_difference(qemu, program, QEMU))
    assert len(small.program) == 1
    (op,) = small.program
    assert op.register in ("GICH_APR", "GICV_APR0") and op.word.bit_count() == 1
    assert str(small).startswith(f"after operation 1 of:\n    {op}\n") and "rpr: model 0xff, QEMU 0x" in str(small)


def test_campaign_reports_the_first_difference(monkeypatch: pytest.MonkeyPatch, qemu: Qemu) -> None:
    """A campaign ends at the first difference, which it shows made small."""
    monkeypatch.setattr(gicv, "running_priority", lambda gich: 0xFF)
    result = campaign.campaign(qemu, WILD, 10_000, 5)
    assert result.difference is not None and result.operations < 10_000
    assert len(result.difference.program) <= 3


def test_legal_programs_are_legal() -> None:
    """A legal program never has one id in two list registers, and ends what GICV_IAR named, last first."""
    random = Random(3)
    for _ in range(20):
        running, state = [], RESET
        for op in LEGAL.make(random, 60):
            state, value = machine.step(state, op, quirks.ARCHITECTURE)
            valid = [r.virtual_id for _, _, r in gich.registers(state.gich) if r.state]
            assert len(valid) == len(set(valid))
            if op.register == "GICV_IAR" and value not in (1022, 1023):
                running.append(value)
            if op.register == "GICV_EOIR":
                assert op.word == running.pop()


def test_programs_use_every_register() -> None:
    """Wild programs access every register that there is, legal ones all that a guest with one binary point needs."""
    random = Random(3)
    used = {kind.name: {op.register for _ in range(60) for op in kind.make(random, 60)} for kind in KINDS}
    assert used["wild"] == machine.ADDRESS.keys()
    unused = {"GICV_CTLR", "GICV_AIAR", "GICV_AEOIR", "GICV_APR0", "GICD_ICACTIVER0"}
    assert used["legal"] == machine.ADDRESS.keys() - unused


def test_a_program_starts_from_reset(qemu: Qemu) -> None:
    """Whatever was played before, the next program starts from the reset state."""
    program = WILD.make(Random(9), 200)
    nothing = (Operation("GICH_HCR", 0),)
    list(on_qemu(qemu, program))
    assert list(on_qemu(qemu, nothing)) == list(player.on_model(nothing, QEMU))
