"""The guest's addresses of distributor and CPU interface, as the VMM sets them."""

from __future__ import annotations

from collections.abc import Sequence

from model.set_addr import E2BIG, SetAddrState
from vgicheck.engine.values import and_, field_of, implies, ite, le, lt, not_, or_

from .init_errors import CPU_SIZE, DIST_SIZE, EBUSY, EEXIST, EINVAL, ENODEV, SPACE, disjoint
from .property import At, Part, Property

UNSET = 0xFFFF_FFFF_FFFF_FFFF


def _set_once(old: SetAddrState, new: SetAddrState, at: At) -> Sequence[Part]:
    done, is_dist, is_cpu = new.result == 0, old.kind == 0, old.kind == 1
    known = or_(is_dist, is_cpu)
    this, other = _this(old, old), ite(is_dist, old.cpu_base, old.dist_base)
    size = ite(is_dist, DIST_SIZE, CPU_SIZE, width=64)
    page, inside = field_of(old.addr, 11, 0) == 0, lt(old.addr, SPACE)
    whole = and_(inside, le(size, SPACE - old.addr))
    first = this == UNSET
    legal = or_(other == UNSET, and_(lt(other, SPACE), field_of(other, 11, 0) == 0))
    clash = and_(not_(other == UNSET), _meet(old))
    fine = and_(page, whole, known)
    return [
        Part(
            "an address that is right is taken",
            and_(fine, first, legal, not_(clash)),
            and_(done, _this(old, new) == old.addr),
        ),
        Part(
            "a refusal leaves both addresses",
            not_(done),
            and_(new.dist_base == old.dist_base, new.cpu_base == old.cpu_base),
        ),
        Part(
            "one call sets one address",
            known,
            and_(implies(is_dist, new.cpu_base == old.cpu_base), implies(is_cpu, new.dist_base == old.dist_base)),
        ),
        Part("an address beyond the guest's 40 bits is refused", not_(inside), _refused(new, E2BIG)),
        Part("so is one whose region ends beyond", and_(known, inside, not_(whole)), _refused(new, E2BIG)),
        Part("an address that is no page's is refused", and_(whole, not_(page)), _refused(new, EINVAL)),
        Part("there are two addresses", and_(whole, page, not_(known)), _refused(new, ENODEV)),
        Part("each is set once", and_(fine, not_(first)), _refused(new, EEXIST)),
        Part("regions that overlap are refused", and_(fine, first, legal, clash), _refused(new, EBUSY)),
    ]


def _this(named: SetAddrState, s: SetAddrState) -> int:
    return ite(named.kind == 0, s.dist_base, s.cpu_base)


def _meet(s: SetAddrState) -> bool:
    """The region at the new address and that of the other share a byte: one begins inside the other."""
    return not_(disjoint(ite(s.kind == 0, s.addr, s.dist_base), ite(s.kind == 0, s.cpu_base, s.addr)))


def _refused(s: SetAddrState, error: int) -> bool:
    return s.result == -error


SET_ADDR: tuple[Property, ...] = (
    Property(
        "vm-address-set-once",
        "set_addr",
        "the VMM sets each of the guest's addresses once, to pages of its own in the guest's space, or is refused",
        _set_once,
        "Documentation: KVM_ARM_SET_DEVICE_ADDR",
        "for a machine model whose map is fixed",
        "30c2117085bc: overlap was checked before the address was stored",
    ),
)
