"""The examples: what is found in each is what the mail itself expects, no more and no less."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs.generations import october_2012
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Verdict
from vgicheck.review.patch import read_patch
from vgicheck.review.review import review

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = sorted(p for p in EXAMPLES.iterdir() if p.suffix in (".patch", ".txt", ".mbox"))
TIMEOUT = 30.0
_EXPECT = re.compile(r"^Expect: (proved|refuted (?:.*(?:\n .*)*))$", re.MULTILINE)


def expected(text: str) -> set[str]:
    """Return the obligations that a mail expects to be refuted, from the one line, perhaps folded, that says so."""
    (line,) = _EXPECT.findall(text.partition("\n---\n")[0])
    return set() if line == "proved" else set(re.split(r",\s+", line.removeprefix("refuted ")))


def test_there_are_good_and_bad_examples() -> None:
    """The folder holds a good and a bad example of a patch, a Patchwork page and an mbox."""
    names = {p.name for p in FILES}
    assert {"good-vgic-init.patch", "page-good-vcpu-init.txt", "bad-thread-lr-count-five-bits.mbox"} <= names
    assert sum(name.startswith("bad-") for name in names) >= 8


LONG = ("bad-other-vcpu", "bad-uie-register", "bad-elrsr", "bad-lock-in-handler", "bad-active-bit")
"""How examples begin that are one more fault of the handler: each takes some ten seconds."""


BY_COMMAND = {
    "good-vgic-init.patch": 0, "page-good-vcpu-init.txt": 0, "bad-node-leak.patch": 1,
    "bad-thread-lr-count-five-bits.mbox": 1,
}  # fmt: skip
"""Examples that are given to the command, and how it ends."""


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(f, id=f.name, marks=[pytest.mark.slow] if f.name.startswith(LONG) else [])
        for f in FILES
        if f.name not in BY_COMMAND
    ],
)
@pytest.mark.parametrize("sizes", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_what_is_refuted_is_what_the_mail_expects(file: Path, sizes: int | None) -> None:
    """Each example's refuted obligations are those of its Expect line, of the smallest number of interrupts and of all."""
    kernel = october_2012()
    kernel = replace(kernel, sizes=kernel.sizes[:sizes])
    found = review(read_patch(file.read_bytes(), file.name), kernel, Runner(Portfolio(TIMEOUT), 2))
    assert found.obligations
    assert {o.id for o in found.obligations if o.verdict is Verdict.REFUTED} == expected(file.read_text())


@pytest.mark.parametrize("name", BY_COMMAND)
def test_the_command_finds_what_the_mail_expects(name: str) -> None:
    """An example has the exit code that it ought to have, and the obligations that are refuted are shown, no others."""
    file = EXAMPLES / name
    result = CliRunner().invoke(main, ["review", "--jobs", "2", "--timeout", f"{TIMEOUT}s", str(file)])
    assert result.exit_code == BY_COMMAND[name], result.output
    shown = re.findall(r"^\[\d+\] (\w+): ([\w-]+)$", result.output, re.MULTILINE)
    assert {f"{function}/{prop}" for function, prop in shown} == expected(file.read_text())
    if name == "good-vgic-init.patch":
        assert result.output.count("proved      as the model of reference") == 4


def test_the_page_quotes_what_is_not_judged() -> None:
    """The page that is proved quotes in its discussion a diff with a wrong mask."""
    assert "0x1f" in (EXAMPLES / "page-good-vcpu-init.txt").read_text().partition("\nPatch\n")[0]
