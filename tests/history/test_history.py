"""Each bug is named before it was mended and gone after; the page in notes/ says what the tool says."""

from __future__ import annotations

import pytest

from tests.history.rows import PAGE, ROWS, OfC, OfTheModel, page
from vgicheck.engine.verdict import Verdict

OF_C = {row.folder: row for row in ROWS if isinstance(row, OfC)}
OF_THE_MODEL = {row.what: row for row in ROWS if isinstance(row, OfTheModel)}


@pytest.mark.parametrize("name", OF_C)
def test_the_sources_get_the_verdicts_that_they_name(name: str) -> None:
    """Before, the property that is named is refuted by a run, and nothing else is; after, all is proved."""
    row = OF_C[name]
    function, kind, verdict = row.expected("before")
    assert verdict == "refuted" and row.expected("after") == (function, kind, "proved")
    before = row.obligations("before")
    (fault,) = [o for o in before if o.verdict is not Verdict.PROVED]
    assert (fault.subject, fault.property, fault.verdict) == (function, kind, Verdict.REFUTED)
    assert fault.run is not None and fault.run.replayed == ("python",)
    after = {(o.subject, o.property): o.verdict for o in row.obligations("after")}
    assert (function, kind) in after and set(after.values()) == {Verdict.PROVED}


@pytest.mark.parametrize("name", OF_THE_MODEL)
def test_the_model_has_the_bug_and_not_with_the_switch(name: str) -> None:
    """Without the switch a run breaks the property; with it no state of the machine does."""
    row = OF_THE_MODEL[name]
    assert row.verdict(row.before).startswith("refuted")
    assert row.verdict(row.after) == "proved of this machine"


def test_the_page_is_what_the_tool_says() -> None:
    """The page is generated, and has a line for each bug."""
    assert PAGE.read_text() == "\n".join(page()) + "\n"
    assert len(ROWS) == 16
