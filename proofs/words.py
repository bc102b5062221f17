"""How the steps of a run are told: in the words of the kernel list, each in the column of whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model.distributor import NR_PRIVATE_IRQS
from model.generation import Switches
from model.gicd import CTLR, PER_IRQ, SGIR
from model.lr import LRState
from model.machine import Exit, Machine, Phase, current_lr
from model.vm import bank_of, is_sgi
from vgicheck.engine.verdict import Turn

from .instances import Made, Size, run

Told = tuple[str, str]
"""The column and the line of a step."""
REGISTERS = dict(
    zip(
        PER_IRQ,
        ("IGROUPR", "ISENABLER", "ICENABLER", "ISPENDR", "ICPENDR", "ISACTIVER", "ICACTIVER", "IPRIORITYR",
         "ITARGETSR", "ICFGR"),
        strict=True,
    )
)  # fmt: skip


def told(made: Made, before: Machine, after: Machine) -> Told:
    """Return where a step is made, a CPU or a device, and what it does, given the plain machines around it."""
    name, arguments = made
    if name == "inject":
        vcpu, intid, level = arguments
        return "device", f"line of {intid} {'rises' if level else 'falls'}: kvm_vgic_inject_irq()"
    if name.startswith("irq_"):
        return f"CPU{arguments[0]}", f"{_IRQ[name]}{_of_lr(name, arguments, before)}"
    vcpu = arguments[0]
    cpu = after.thread.cpu[vcpu]
    alone = before.nr_vcpus == 1
    return f"CPU{cpu}", ("" if alone else f"vcpu{vcpu}: ") + _THREAD[name](arguments, before, after)


def turns(size: Size, switches: Switches, made: Sequence[Made]) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Return the steps of a run in words, and the machine that it ends in."""
    states = list(run(size, switches, made))
    found = []
    for (name, arguments), before, after in zip(made, states, states[1:], strict=False):
        by, does = told((name, arguments), before, after)
        found.append(Turn(name, tuple(int(a) for a in arguments), by, does))
    return tuple(found), tuple(ends(size, states[-1]))


def ends(size: Size, s: Machine) -> Iterator[str]:
    """Yield what is to be said of a machine: of each vCPU, and of each interrupt."""
    for v in range(size.vcpus):
        oracle, kick = s.vm.pending_on_cpu[v], s.thread.kick[v]
        yield (
            f"vcpu{v}: {Phase(s.thread.phase[v]).name.lower()}, irq_pending_on_cpu {'set' if oracle else 'clear'}"
            + (", a kick under way" if kick else "")
        )
    for i, source in size.irqs:
        for v in range(size.vcpus) if i < NR_PRIVATE_IRQS else (0,):
            yield f"{_name(i, source)}{f' of vcpu{v}' if i < NR_PRIVATE_IRQS else ''}: {_state(size, s, v, i, source)}"


def _name(intid: int, source: int) -> str:
    return f"SGI {intid} from vcpu{source}" if is_sgi(intid) else f"interrupt {intid}"


def _state(size: Size, s: Machine, v: int, intid: int, source: int) -> str:
    key = bank_of(v, intid)
    if is_sgi(intid):
        said = ["pending" if s.vm.sgi_sources[v, intid, source] else "not pending"]
    else:
        said = ["line high" if s.vm.irq_line[key] else "line low"]
        said += ["irq_state set"] if s.vm.irq_state[key] else []
        said += ["irq_active set"] if s.vm.irq_active[key] else []
    said += ["disabled"] if not s.vm.irq_enabled[key] else []
    for w in (v,) if intid < NR_PRIVATE_IRQS else range(size.vcpus):
        for l in range(size.lrs):
            lr = current_lr(s, w, l)
            if s.shadow.lr_used[w, l] and lr.virtual_id == intid and (not is_sgi(intid) or lr.cpuid == source):
                eoi = ", EOI to be seen" if lr.eoi else ""
                said.append(f"in LR{l} of vcpu{w} ({LRState(lr.state).name.lower().replace('_', '+')}{eoi})")
    return ", ".join(said)


def _of_lr(name: str, arguments: tuple[Any, ...], before: Machine) -> str:
    if name != "irq_lr":
        return ""
    cpu, l = arguments
    return f"{before.shadow.lr[before.cpu.running[cpu], l].virtual_id} (LR{l})"


_IRQ = {
    "irq_enter": "vgic_maintenance_handler()",
    "irq_lock": "  gets the lock",
    "irq_lr": "  clears the active bit of ",
    "irq_rearm": "  acts on the line that it read",
    "irq_exit": "  returns",
}


def _lr(arguments: tuple[Any, ...], before: Machine) -> str:
    vcpu, l = arguments
    return f"{before.cpu.lr[before.thread.cpu[vcpu], l].virtual_id} (LR{l})"


def _queued(arguments: tuple[Any, ...], before: Machine, after: Machine) -> str:
    vcpu, intid, source = arguments
    missed = after.thread.overflow[vcpu] and after.ghost.missed[vcpu] == intid << 3 | source
    what = f"SGI {intid} of vcpu{source}" if intid < 16 else f"{intid}"
    if missed:
        return f"  no list register for {what}"
    return f"  vgic_queue_irq(): {what}"


def _left(arguments: tuple[Any, ...], before: Machine, after: Machine) -> str:
    return {Exit.IRQ: "exit: an interrupt", Exit.WFI: "exit: WFI", Exit.MMIO: "exit: a store to the distributor"}[
        Exit(arguments[1])
    ]


def _stored(arguments: tuple[Any, ...], before: Machine, after: Machine) -> str:
    _, offset, length, data = arguments
    return f"vgic_handle_mmio(): {register(offset)} = {data:#x}" + (f", {length} bytes" if length != 4 else "")


def register(offset: int) -> str:
    """Return the name of the register of the distributor at an offset."""
    if offset == CTLR:
        return "GICD_CTLR"
    if offset == SGIR:
        return "GICD_SGIR"
    for registers, name in REGISTERS.items():
        if registers.holds(offset):
            return f"GICD_{name}+{offset - registers.base:#x}"
    return f"GICD+{offset:#x}"


_THREAD: dict[str, Callable[[tuple[Any, ...], Machine, Machine], str]] = {
    "vcpu_load": lambda a, b, c: f"vcpu_load() on CPU{a[1]}",
    "vcpu_put": lambda a, b, c: "vcpu_put()",
    "flush_begin": lambda a, b, c: "__kvm_vgic_sync_to_cpu(), takes the lock",
    "flush_irq": _queued,
    "flush_pass": lambda a, b, c: f"  passes {a[1]}",
    "flush_end": lambda a, b, c: "  " + ("sets UIE" if c.shadow.hcr[a[0]].uie else "clears its oracle bit"),
    "enter": lambda a, b, c: "enters the guest",
    "turn_back": lambda a, b, c: "does not enter: signal or request",
    "acknowledge": lambda a, b, c: f"guest acknowledges {_lr(a, b)}",
    "end_of_interrupt": lambda a, b, c: f"guest EOIs {_lr(a, b)}",
    "wrong_end": lambda a, b, c: "guest EOIs what is not active",
    "leave": _left,
    "kick_arrives": lambda a, b, c: "kick arrives" + (", exit" if b.thread.phase[a[0]] == 3 else ""),
    "sync_begin": lambda a, b, c: "__kvm_vgic_sync_from_cpu()",
    "sync_lr": lambda a, b, c: f"  LR{a[1]} is free, {b.shadow.lr[a[0], a[1]].virtual_id} no more mapped",
    "sync_rearm": lambda a, b, c: f"  {'sets' if b.thread.saw[a[0]] else 'clears'} its pending bit",
    "sync_end": lambda a, b, c: "  " + ("oracle bit set" if c.vm.pending_on_cpu[a[0]] else "oracle bit clear"),
    "sync_store": lambda a, b, c: "  writes irq_pending_on_cpu back",
    "resume": lambda a, b, c: "goes on",
    "block": lambda a, b, c: "kvm_vcpu_block()" + (": sleeps" if c.thread.phase[a[0]] == 7 else ": does not sleep"),
    "doze": lambda a, b, c: "kvm_vcpu_block(): sleeps",
    "mmio": _stored,
}
"""What a step of a vCPU's thread does: of its arguments and the machines before and after."""
