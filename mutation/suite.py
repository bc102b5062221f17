"""The tests of the model, run over a mutant of it: what no obligation speaks of may still be tested by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from vgicheck.engine.verdict import Verdict

TESTS = Path(__file__).resolve().parents[1] / "tests" / "model"
MACHINE = ("test_initial", "test_queueing", "test_injection", "test_runloop", "test_interrupt")
OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("model.vm", "model.machine", "model.queueing", "model.injection", "model.runloop",
                     "model.interrupt", "model.initial", "model.init", "model.handler"), MACHINE),
    **dict.fromkeys(("model.mmio", "model.gicd", "model.gicd_icfgr", "model.gicd_load"), ("test_mmio",)),
    "model.set_addr": ("test_set_addr",),
    "model.lr": ("test_lr",),
    "model.vmcr": ("test_vmcr", "test_gicv"),
    "model.gich": ("test_gich", "test_gicv"),
    "model.gicv": ("test_gicv",),
}  # fmt: skip
"""The files of tests that speak of a module of the model."""
QUIET = ("-x", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist")
NAME = "the tests"
"""What a mutant that a test notices is noticed by, in front of the test's name."""


def by_tests(module: str) -> Iterator[tuple[str, Verdict]]:
    """Run the tests of a module as it is in this process, up to the first that fails: it refutes the module.

    Meant for a process of its own: what is imported by then stays imported.
    """
    if module not in OF:
        return
    watched = _Failures()
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        files = [str(TESTS / f"{name}.py") for name in OF[module]]
        pytest.main(
            ["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(TESTS.parents[1]), *files],
            plugins=[watched],
        )
    if watched.first:
        yield f"{NAME}: {watched.first}", Verdict.REFUTED
    else:
        yield NAME, Verdict.PROVED


class _Failures:
    """A plugin of pytest that notes which test, or which file that cannot be imported, failed first."""

    first = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.first = self.first or report.nodeid.rpartition("/")[2]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.first = self.first or report.nodeid.rpartition("/")[2]
