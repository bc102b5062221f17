"""Properties of the maintenance handler, stated of one list register, one interrupt and one vCPU that stand for all.

`old` and `new` are `model.handler.HandlerState`s, and `new` may come from the model or from C.  Most properties
speak of a handler that
*acts*: a vCPU is loaded, and the live registers are its own.  What must happen otherwise is said by
handler-without-vcpu and handler-right-vcpu.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.distributor import LR_EMPTY, NR_LRS, Distributor, VgicCpu, bank, retire
from model.gich import Hcr, maintenance_line
from model.handler import IRQ_HANDLED, HandlerState
from model.lr import LRState
from vgicheck.engine.values import and_, any_of, iff, lt, not_, or_, same, widened

from .property import At, Part, Property


def flagged(s: HandlerState, l: int) -> bool:
    """The saved registers say that list register `l` was EOIed."""
    return and_(s.cpu.misr.eoi, s.cpu.eisr[l], lt(l, s.cpu.nr_lr))


def acts(s: HandlerState) -> bool:
    """A vCPU is loaded, and what the registers of this CPU hold is its state."""
    return and_(s.loaded, s.live)


def key(s: HandlerState, at: At) -> tuple[int, int]:
    """The arbitrary interrupt, in the loaded vCPU's bank."""
    return bank(s.vcpu_id, at.intid)


def other_key(at: At) -> tuple[int, int]:
    """The arbitrary interrupt, in an arbitrary vCPU's bank."""
    return bank(widened(at.vcpu, 32), at.intid)


def _eoi_clears_active(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(acts(old), flagged(old, at.lr), old.cpu.lr[at.lr].virtual_id == at.intid)
    return [Part("the active bit of a flagged interrupt is clear", premise, not_(new.dist.irq_active[key(old, at)]))]


def _underflow_clears_uie(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(acts(old), old.cpu.misr.u)
    return [
        Part("UIE is clear in the shadow", premise, not_(new.cpu.hcr.uie)),
        Part("UIE is clear in GICH_HCR", premise, not_(new.hw.hcr.uie)),
    ]


def _eoi_clears_lr_eoi(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(acts(old), flagged(old, at.lr))
    return [
        Part("the EOI flag is clear in the shadow", premise, not_(new.cpu.lr[at.lr].eoi)),
        Part("the EOI flag is clear in the register", premise, not_(new.hw.lr[at.lr].eoi)),
    ]


def _eoi_frees_lr(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    used = and_(acts(old), flagged(old, at.lr), old.cpu.lr_used[at.lr], old.cpu.lr[at.lr].state == LRState.INVALID)
    synced = retire(new.cpu)
    premise = and_(used, old.cpu.lr[at.lr].virtual_id == at.intid)
    return [
        Part("the list register is reported empty to the sync", premise, new.cpu.elrsr[at.lr]),
        Part("once synced it is not in use", premise, not_(synced.lr_used[at.lr])),
        Part("once synced its interrupt is not mapped", premise, synced.irq_lr_map[at.intid] == LR_EMPTY),
    ]


def _eoi_touches_nothing_else(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    k = other_key(at)
    named = any_of(range(NR_LRS), lambda l: and_(flagged(old, l), same(bank(old.vcpu_id, old.cpu.lr[l].virtual_id), k)))
    nobody = and_(acts(old), not_(named))
    unflagged = and_(acts(old), not_(flagged(old, at.lr)))
    seen = and_(acts(old), flagged(old, at.lr))
    return [
        Part("no other active bit changes", nobody, iff(new.dist.irq_active[k], old.dist.irq_active[k])),
        Part("no other shadow list register changes", unflagged, same(new.cpu.lr[at.lr], old.cpu.lr[at.lr])),
        Part("no other list register changes", unflagged, same(new.hw.lr[at.lr], old.hw.lr[at.lr])),
        Part(
            "of a flagged list register only the EOI flag changes",
            seen,
            same(replace(new.cpu.lr[at.lr], eoi=False), replace(old.cpu.lr[at.lr], eoi=False)),
        ),
        Part("no bit of the shadow HCR but UIE changes", acts(old), _same_but_uie(new.cpu.hcr, old.cpu.hcr)),
        Part("no other field of the vCPU changes", acts(old), _same_rest(old.cpu, new.cpu, at)),
        Part(
            "only a flagged list register is newly reported empty",
            unflagged,
            iff(new.cpu.elrsr[at.lr], old.cpu.elrsr[at.lr]),
        ),
        Part(
            "no list register in use is newly reported empty",
            and_(acts(old), not_(old.cpu.lr[at.lr].state == LRState.INVALID)),
            iff(new.cpu.elrsr[at.lr], old.cpu.elrsr[at.lr]),
        ),
        Part("no other field of the distributor changes", acts(old), _same_config(old.dist, new.dist, k)),
        *_looks_again(old, new, at),
        Part(
            "GICH_HCR changes only on underflow",
            and_(acts(old), not_(old.cpu.misr.u)),
            same(new.hw.hcr, old.hw.hcr),
        ),
        Part(
            "on underflow GICH_HCR is the shadow",
            and_(acts(old), old.cpu.misr.u),
            _same_but_uie(new.hw.hcr, old.cpu.hcr),
        ),
    ]


def _looks_again(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    """An interrupt that was ended may be looked at again, by this vCPU and as its line is; no other."""
    ended = any_of(range(NR_LRS), lambda l: and_(flagged(old, l), old.cpu.lr[l].virtual_id == at.intid))
    kept = iff(new.cpu.pending[at.intid], old.cpu.pending[at.intid])
    mine = widened(at.vcpu, 32) == old.vcpu_id
    before, after = old.dist.pending_on_cpu[at.vcpu], new.dist.pending_on_cpu[at.vcpu]
    return [
        Part("no other interrupt becomes pending, or ceases to be", and_(acts(old), not_(ended)), kept),
        Part(
            "a flagged interrupt is pending only as its line is",
            and_(acts(old), ended),
            or_(kept, iff(new.cpu.pending[at.intid], old.dist.irq_state[key(old, at)])),
        ),
        Part("no other vCPU has anything new to look at", and_(acts(old), not_(mine)), iff(after, before)),
        Part("what this vCPU has to look at is not forgotten", and_(acts(old), mine, before), after),
    ]


def _handled(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    return [Part("the interrupt is said to be handled", True, new.result == IRQ_HANDLED)]


def _uie_kept(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(acts(old), not_(old.cpu.misr.u))
    return [
        Part("UIE is unchanged in the shadow", premise, iff(new.cpu.hcr.uie, old.cpu.hcr.uie)),
        Part("UIE is unchanged in GICH_HCR", premise, iff(new.hw.hcr.uie, old.hw.hcr.uie)),
    ]


def _shadow_matches(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    written = or_(
        not_(same(new.hw.lr[at.lr], old.hw.lr[at.lr])),
        not_(same(new.cpu.lr[at.lr], old.cpu.lr[at.lr])),
        flagged(old, at.lr),
    )
    return [Part("shadow and register agree", and_(acts(old), written), same(new.hw.lr[at.lr], new.cpu.lr[at.lr]))]


def _ignores_unmarked(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(acts(old), not_(old.cpu.misr.eoi), not_(old.cpu.misr.u))
    return [Part(what, premise, holds) for what, holds in unchanged(old, new, at)]


def _without_vcpu(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = not_(old.loaded)
    software = unchanged(old, replace(new, hw=old.hw), at)
    return [
        *(Part(what, premise, holds) for what, holds in software),
        Part("the maintenance line does not stay asserted", premise, not_(maintenance_line(new.hw))),
    ]


def _once(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    return [Part(what, acts(old), holds) for what, holds in unchanged(old, new, at)]


def _right_vcpu(old: HandlerState, new: HandlerState, at: At) -> Sequence[Part]:
    premise = and_(old.loaded, not_(old.live))
    off = not_(new.hw.hcr.en)
    return [
        Part("another vCPU's list registers are left alone", premise, same(new.hw.lr[at.lr], old.hw.lr[at.lr])),
        Part("another vCPU's GICH_HCR is left alone or off", premise, or_(off, same(new.hw.hcr, old.hw.hcr))),
        Part(
            "another vCPU's private interrupts are left alone",
            and_(acts(old), lt(at.intid, 32), not_(widened(at.vcpu, 32) == old.vcpu_id)),
            iff(new.dist.irq_active[other_key(at)], old.dist.irq_active[other_key(at)]),
        ),
    ]


def unchanged(old: HandlerState, new: HandlerState, at: At) -> list[tuple[str, bool]]:
    """Everything that the handler could change, at the arbitrary indices, with what to call it."""
    k = other_key(at)
    return [
        ("no active bit changes", iff(new.dist.irq_active[k], old.dist.irq_active[k])),
        ("no shadow list register changes", same(new.cpu.lr[at.lr], old.cpu.lr[at.lr])),
        ("no list register changes", same(new.hw.lr[at.lr], old.hw.lr[at.lr])),
        ("the shadow HCR is unchanged", same(new.cpu.hcr, old.cpu.hcr)),
        ("GICH_HCR is unchanged", same(new.hw.hcr, old.hw.hcr)),
        ("the saved ELRSR is unchanged", iff(new.cpu.elrsr[at.lr], old.cpu.elrsr[at.lr])),
        ("no other field of the vCPU changes", _same_rest(old.cpu, new.cpu, at)),
        ("no interrupt becomes pending, or ceases to be", iff(old.cpu.pending[at.intid], new.cpu.pending[at.intid])),
        ("no other field of the distributor changes", _same_config(old.dist, new.dist, k)),
        (
            "no bit of irq_pending_on_cpu changes",
            iff(old.dist.pending_on_cpu[at.vcpu], new.dist.pending_on_cpu[at.vcpu]),
        ),
    ]


def _same_rest(old: VgicCpu, new: VgicCpu, at: At) -> bool:
    return and_(
        old.nr_lr == new.nr_lr,
        old.vmcr == new.vmcr,
        same(old.misr, new.misr),
        iff(old.eisr[at.lr], new.eisr[at.lr]),
        iff(old.lr_used[at.lr], new.lr_used[at.lr]),
        old.irq_lr_map[at.intid] == new.irq_lr_map[at.intid],
    )


def _same_config(old: Distributor, new: Distributor, k: tuple[int, int]) -> bool:
    pairs = ((old.irq_enabled, new.irq_enabled), (old.irq_cfg, new.irq_cfg), (old.irq_state, new.irq_state))
    return and_(*(iff(before[k], after[k]) for before, after in pairs))


def _same_but_uie(a: Hcr, b: Hcr) -> bool:
    return same(replace(a, uie=False), replace(b, uie=False))


HANDLER: tuple[Property, ...] = (
    Property(
        "eoi-clears-active",
        "handler",
        "after the handler the active bit of every interrupt whose list register was flagged in EISR is clear",
        _eoi_clears_active,
        "vgic.c, comment on irq_active; IHI 0048B GICH_EISR",
        "when the live registers are another vCPU's and the handler leaves everything to the next exit",
        "an active bit left set hides a level interrupt for ever",
    ),
    Property(
        "underflow-clears-uie",
        "handler",
        "if MISR.U is set, UIE is clear afterwards, in the shadow HCR and in the register",
        _underflow_clears_uie,
        "IHI 0048B GICH_HCR.UIE, GICH_MISR.U",
        "when the live registers are another vCPU's",
        "an underflow interrupt that is never turned off is a storm",
    ),
    Property(
        "eoi-clears-lr-eoi",
        "handler",
        "the EOI flag of every flagged list register is clear, in the shadow and in the register",
        _eoi_clears_lr_eoi,
        "IHI 0048B GICH_LR.EOI, GICH_EISR",
        "when the live registers are another vCPU's",
        "a list register that stays in EISR keeps the maintenance line up",
    ),
    Property(
        "eoi-frees-lr",
        "handler",
        "a list register whose interrupt was EOIed is reported empty and, once the vCPU is synced, no longer mapped",
        _eoi_frees_lr,
        "IHI 0048B GICH_ELRSR: a register with EOI set is not reported empty",
        "when the sync reads the live ELRSR, and not the copy of the exit",
        "force EOIed LRs to the empty state, v3.9 to v3.13: the list register stays mapped",
    ),
    Property(
        "eoi-touches-nothing-else",
        "handler",
        "no other active bit, no other list register and no other field changes, but that a line is looked at again",
        _eoi_touches_nothing_else,
        "the handler's comment: the only action is clearing the active bit; from November 2012 also sampling the line",
        "never",
        "none known",
    ),
    Property(
        "handler-says-handled",
        "handler",
        "the handler returns IRQ_HANDLED whatever it finds",
        _handled,
        "kernel/irq: an interrupt that nobody handles is disabled after 100,000 times",
        "when the interrupt line is shared",
        "none known",
    ),
    Property(
        "uie-kept-without-underflow",
        "handler",
        "without MISR.U, UIE is unchanged",
        _uie_kept,
        "IHI 0048B GICH_MISR.U",
        "never",
        "none known",
    ),
    Property(
        "lr-shadow-matches-register",
        "handler",
        "every list register that the handler wrote is equal in the shadow and in the register",
        _shadow_matches,
        "the world switch restores the shadow",
        "when list registers are written only at the next entry",
        "none known",
    ),
    Property(
        "handler-ignores-unmarked",
        "handler",
        "with neither MISR.EOI nor MISR.U nothing changes, whatever EISR holds",
        _ignores_unmarked,
        "IHI 0048B GICH_MISR",
        "never",
        "none known",
    ),
    Property(
        "handler-without-vcpu",
        "handler",
        "with no vCPU loaded nothing changes, and the maintenance line does not stay asserted",
        _without_vcpu,
        "the maintenance interrupt is a level: HCR.En and MISR not zero keep it up",
        "when every vcpu_put turns GICH_HCR off",
        "none known",
    ),
    Property(
        "handler-once",
        "handler",
        "running the handler again on the same saved registers changes nothing that the first run did not",
        _once,
        "saved MISR and EISR are never cleared by software",
        "never",
        "none known",
        repeated=True,
    ),
    Property(
        "handler-right-vcpu",
        "handler",
        "what the handler changes belongs to the vCPU whose exit saved the registers that it reads",
        _right_vcpu,
        "the handler takes the vCPU from a per-CPU variable; nothing ties it to the exit",
        "when the maintenance interrupt cannot be taken after another vCPU is loaded",
        "the kernel stopped relying on the interrupt by v3.9",
    ),
)
