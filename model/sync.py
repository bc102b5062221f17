"""`__kvm_vgic_sync_from_cpu` of 2012 as a function of its own, run in one go on what it finds of one vCPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import and_, any_of, field_of, lt, not_

from .distributor import NR_LRS, VgicCpu, Word, retire
from .generation import Switches


@dataclass(frozen=True, slots=True)
class SyncState:
    """A vCPU that came out of the guest, and `irq_pending_on_cpu` by vCPU."""

    vcpu_id: Word
    cpu: VgicCpu
    pending_on_cpu: Annotated[Map[bool], MapOf((3,), bool)]


def kvm_vgic_sync_from_cpu(s: SyncState, switches: Switches) -> SyncState:
    """Forget what was in list registers that are empty now; one that is not has the next flush look again."""
    left = any_of(range(NR_LRS), lambda l: and_(lt(l, s.cpu.nr_lr), not_(s.cpu.elrsr[l])))
    oracle = s.pending_on_cpu.set(field_of(s.vcpu_id, 2, 0), True, left)
    return replace(s, cpu=retire(s.cpu), pending_on_cpu=oracle)
