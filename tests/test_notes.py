"""Each claim in notes/ that names an obligation is what the tool says."""

from __future__ import annotations

import re

import pytest

from model.generation import GENERATIONS
from mutation.equivalents import EQUIVALENT, HOLES
from proofs.arguments import ARGUMENTS
from proofs.instances import INSTANCE
from proofs.obligations import SWITCHES
from proofs.races import said
from proofs.runs import search

from .proofs.test_prove import BROKEN_BY_SWITCH
from .proofs.test_races import OF_ITS_TIME
from .shared import EXAMPLES, ROOT, SEEDS, needs_seed, reviewed, verdicts

NOTES = ROOT / "notes" / "patch-2012-10.md"
CLAIMS = re.findall(r"\{(proved|refuted) (\w+/[\w-]+)\}", NOTES.read_text())


def test_claims_are_found():
    """The note on the patch names obligations."""
    assert len(CLAIMS) > 20


@pytest.mark.parametrize(("verdict", "obligation"), CLAIMS)
def test_claim_on_our_patch(verdict: str, obligation: str):
    """The verdict in the note is that of our own patch with the choices of October 2012."""
    assert verdicts(reviewed(EXAMPLES / "bad-october-2012.patch"))[obligation] == verdict


@needs_seed
@pytest.mark.parametrize(("verdict", "obligation"), CLAIMS)
def test_claim_on_the_mailed_page(verdict: str, obligation: str):
    """The verdict in the note is that of the mailed page."""
    assert verdicts(reviewed(SEEDS[0]))[obligation] == verdict


def test_each_switch_of_the_registers_is_told():
    """The note on the distributor's registers names each of their switches, with the properties that it breaks."""
    text = (ROOT / "notes" / "registers.md").read_text()
    told = {switch: set(broken.split()) for switch, broken in re.findall(r"\{(\w+): ([\w\s-]+)\}", text)}
    about = {s: broken for s, broken in BROKEN_BY_SWITCH.items() if s.startswith(SWITCHES["vgic_handle_mmio"])}
    assert told == about


def test_survivors_are_explained():
    """Each mutant that is listed as a survivor is explained in the note on mutants, and nothing else is."""
    told = re.findall(r"^- `(.+)`: (.+)$", (ROOT / "notes" / "mutation.md").read_text(), re.MULTILINE)
    assert dict(told) == EQUIVALENT | HOLES


@needs_seed
def test_note_is_complete():
    """Everything that is refuted of the mailed page is in the note."""
    refuted = {name for name, verdict in verdicts(reviewed(SEEDS[0])).items() if verdict == "refuted"}
    assert refuted == {obligation for verdict, obligation in CLAIMS if verdict == "refuted"}


@needs_seed
def test_partial_functions_are_not_judged():
    """Functions that the mailed page shows only in part are unsupported, and named."""
    found = verdicts(reviewed(SEEDS[0]))
    assert found["init_hyp_mode/hyp-init-not-fatal"] == "unsupported"
    assert found["kvm_dev_ioctl_check_extension/hyp-init-not-fatal"] == "unsupported"


BROKEN = re.findall(
    r"^\| ([\w.-]+) \| ([\w-]+) \| ([\w ,-]+) \| (\d+) \|", (ROOT / "notes" / "machine.md").read_text(), re.MULTILINE
)


def test_broken_generations_are_told():
    """The note on the machine has a row for each generation but the reference."""
    assert {generation for generation, *_ in BROKEN} == GENERATIONS.keys() - {"reference"}


@pytest.mark.parametrize(("generation", "instance"), sorted({(g, i) for g, _, i, _ in BROKEN}))
def test_broken_generation(generation: str, instance: str):
    """The shortest run of an instance that breaks a property is as long as the note says."""
    told = {prop: int(steps) for g, prop, i, steps in BROKEN if (g, i) == (generation, instance)}
    found = search(INSTANCE[instance], GENERATIONS[generation], list(told)).broken
    assert {name: len(b.made) - b.prologue for name, b in found.items()} == told


SEMANTICS = (ROOT / "notes" / "c-semantics.md").read_text()
C = ROOT / "tests" / "c"


def functions(name: str) -> list[str]:
    """The good and bad functions of a file of C."""
    return re.findall(r"^\w+ ((?:good|bad)_\w+)\(", (C / name).read_text(), re.MULTILINE)


def rows(title: str) -> dict[str, str]:
    """The functions that a table of the note on C names, each once, with the row's second column."""
    table = SEMANTICS.split(f"\n## {title}")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if "{" in line]
    pairs = [(name, line[1]) for line in lines for name in re.findall(r"\{(\w+)\}", line[-1])]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_everything_undefined_is_told():
    """The note names each function that does something undefined, with the property that the file says."""
    text = (C / "bad_undefined.c").read_text()
    told = rows("Undefined, and claimed")
    assert told.keys() == set(functions("bad_undefined.c"))
    claimed = dict.fromkeys(told, "")
    for function, body in re.findall(r"^int (bad_\w+)\((.*?)^}", text, re.MULTILINE | re.DOTALL):
        claimed[function] = "".join(re.findall(r"undefined: ([\w-]+)", body))
    claimed |= {function: kind for kind, function in re.findall(r"undefined: ([\w-]+), called by (\w+)", text)}
    assert told == claimed


def test_everything_defined_is_told():
    """The note names each function that the kernel's flags define, and no other but of the kernel's own constructs."""
    told, defined = rows("Defined by the flags").keys(), set(functions("good_defined.c"))
    assert defined <= told <= defined | set(functions("good_kernel.c"))


def test_everything_refused_is_told():
    """The note names each function that is not evaluated, and no other but such as the front end refuses."""
    told, refused = rows("Refused").keys(), set(functions("unsupported_constructs.c"))
    assert refused <= told <= refused | set(functions("bad_constructs.c"))


RACES = re.findall(
    r"^\| ([\w-]+) \|(?: [\w.-]+ \|)? (\w+) \| (\w+) \| (\w+) \| ([^|]+) \|$",
    (ROOT / "notes" / "races.md").read_text(),
    re.MULTILINE,
)


def test_every_argument_is_told():
    """The note on races has a row for each argument, with what comes of its verdicts."""
    told = {name: (*found, so) for name, *found, so in RACES if name in ARGUMENTS}
    assert told.keys() == ARGUMENTS.keys()
    for name, (*found, so) in told.items():
        assert tuple(found) == tuple(str(v) for v in OF_ITS_TIME[name]), name
        assert so.strip() == said(*OF_ITS_TIME[name]), name
