"""The examples: what is found in each is what the mail itself expects, no more and no less."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    "file",
    [pytest.param(f, id=f.name, marks=[pytest.mark.slow] if f.name.startswith(LONG) else []) for f in FILES],
)
def test_what_is_refuted_is_what_the_mail_expects(file: Path) -> None:
    """Each example's refuted obligations are those of its Expect line; a good one's are all proved."""
    patch = read_patch(file.read_bytes(), file.name)
    found = review(patch, october_2012(), Runner(Portfolio(TIMEOUT), 2))
    assert found.obligations
    assert {o.id for o in found.obligations if o.verdict is Verdict.REFUTED} == expected(file.read_text())
    if "good" in file.name:
        assert {o.id: o.reason for o in found.obligations if o.verdict is not Verdict.PROVED} == {}
        assert expected(file.read_text()) == set()


def test_the_good_example_exits_with_0() -> None:
    """The command line proves every obligation of the good example, as the model of the reference."""
    result = CliRunner().invoke(main, ["review", "--jobs", "2", str(EXAMPLES / "good-vgic-init.patch")])
    assert result.exit_code == 0, result.output
    assert result.output.count("proved      as the model of reference") == 4


@pytest.mark.parametrize("name", ["bad-node-leak.patch", "bad-thread-lr-count-five-bits.mbox"])
def test_a_bad_example_exits_with_1(name: str) -> None:
    """The command line refutes a bad example, and names what it expects."""
    file = EXAMPLES / name
    result = CliRunner().invoke(main, ["review", "--jobs", "2", str(file)])
    assert result.exit_code == 1, result.output
    for obligation in expected(file.read_text()):
        function, prop = obligation.split("/")
        assert re.search(rf"^\[\d+\] {function}: {prop}$", result.output, re.MULTILINE)


def test_the_page_is_read_below_its_discussion() -> None:
    """The diff that a reply quotes above the patch is not the one that is judged."""
    file = EXAMPLES / "page-good-vcpu-init.txt"
    result = CliRunner().invoke(main, ["review", "--jobs", "2", str(file)])
    assert "0x1f" in file.read_text().partition("\nPatch\n")[0]
    assert result.exit_code == 0, result.output
