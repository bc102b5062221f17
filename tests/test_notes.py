"""Each claim in notes/ that names an obligation is what the tool says."""

from __future__ import annotations

import re

import pytest

from model.generation import GENERATIONS
from mutation.equivalents import EQUIVALENT, HOLES
from proofs.instances import INSTANCE
from proofs.obligations import SWITCHES
from proofs.runs import search

from .proofs.test_prove import BROKEN_BY_SWITCH
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
