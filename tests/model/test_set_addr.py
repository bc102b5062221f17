"""Setting the guest's addresses: what is taken, what is refused with which error, in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import OCTOBER_2012, REFERENCE
from model.set_addr import VGIC_ADDR_UNDEF, SetAddrState, kvm_vgic_set_addr

DIST, CPU = 0, 1
FRESH = SetAddrState(0, 0, VGIC_ADDR_UNDEF, VGIC_ADDR_UNDEF, 0)


def called(s: SetAddrState, kind: int, addr: int, **off: bool) -> SetAddrState:
    return kvm_vgic_set_addr(replace(s, kind=kind, addr=addr), replace(REFERENCE, **off))


def test_both_are_set_once() -> None:
    """The two addresses are taken in either order, and neither a second time."""
    for first, second in ((DIST, CPU), (CPU, DIST)):
        s = called(called(FRESH, first, 0x2C00_0000), second, 0x2C01_0000)
        assert s.result == 0
        assert {s.dist_base, s.cpu_base} == {0x2C00_0000, 0x2C01_0000}
        again = called(s, first, 0x3000_0000)
        assert (again.result, again.dist_base, again.cpu_base) == (-17, s.dist_base, s.cpu_base)


@pytest.mark.parametrize(
    ("kind", "addr", "error"),
    [
        (DIST, 0x2C00_0800, -22),
        (DIST, 1 << 40, -7),
        (DIST, (1 << 40) - 0x1000, 0),
        (CPU, (1 << 40) - 0x1000, -7),
        (CPU, (1 << 40) - 0x2000, 0),
        (DIST, VGIC_ADDR_UNDEF, -7),
        (2, 0x2C00_0000, -19),
        (2, 0x2C00_0001, -22),
    ],
)
def test_errors(kind: int, addr: int, error: int) -> None:
    """The space comes before the page, the page before the kind; the last page of the space can be used."""
    assert called(FRESH, kind, addr).result == error


@pytest.mark.parametrize("cpu", range(0x1000, 0x8000, 0x1000))
def test_overlap(cpu: int) -> None:
    """A CPU interface of two pages is refused exactly where one of them is the distributor's."""
    dist = 0x4000
    touching = cpu in (0x3000, 0x4000)
    assert called(called(FRESH, DIST, dist), CPU, cpu).result == (-16 if touching else 0)
    assert called(called(FRESH, CPU, cpu), DIST, dist).result == (-16 if touching else 0)


def test_what_was_not_checked() -> None:
    """Without the switches the end of a region and the overlap pass, and in 2012 there is no such call."""
    space = [(1 << 40) - 0x1000, (1 << 40) - 1, 1 << 40, (1 << 40) + 1]
    assert [called(FRESH, CPU, addr, set_addr_whole_region=False).result for addr in space] == [0, -22, -7, -7]
    assert called(called(FRESH, DIST, 0x4000), CPU, 0x4000, set_addr_overlap=False).result == 0
    assert kvm_vgic_set_addr(replace(FRESH, addr=0x4000), OCTOBER_2012).result == -19
