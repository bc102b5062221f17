"""What may follow a callee that is not run: other such callees in their order, and the return."""

from __future__ import annotations

import pytest

from conformance.readings import program
from vgicheck.c.cuts import at_the_end, calls
from vgicheck.c.ir import Unsupported

TEXT = """
int seen, n;
void first(void) {{ seen = 1; }}
void last(void) {{ seen = 2; }}
void one(void) {{ last(); }}
void other(void) {{ seen = 3; }}
int entry(void) {{ int i, x = 0; {body} }}
"""
FINE = {
    "nothing is called": "n = 1; return n;",
    "at the end": "n = 1; last(); return 1;",
    "in one of two branches": "n = 1; if (seen) { last(); return 1; } n = 2; return 0;",
    "both in their order": "n = 1; if (seen) first(); last(); return 1;",
    "the return of a local": "x = n; last(); return x + 1;",
    "after a loop": "for (i = 0; i < n; i++) seen += i; last(); return 0;",
}
NOT = {
    "a store": "last(); n = 1; return 1;",
    "a load": "last(); return n;",
    "a condition on memory": "last(); if (seen) return 1; return 0;",
    "another call": "last(); other(); return 1;",
    "the wrong order": "last(); first(); return 1;",
    "twice": "last(); last(); return 1;",
    "in a loop": "for (i = 0; i < 3; i++) last(); return 1;",
    "in a callee": "one(); return 1;",
    "a pointer that may lead there": "void (*f)(void) = seen ? other : last; f(); return 1;",
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_at_the_end(name: str) -> None:
    """Nothing that a callee could notice or change is after it."""
    at_the_end(program(TEXT.format(body=FINE[name])), "entry", ("first", "last"))


@pytest.mark.parametrize("name", NOT)
def test_what_is_not(name: str) -> None:
    """Whatever is done after a callee, or may be, is refused, with the line of the call."""
    with pytest.raises(Unsupported) as refused:
        at_the_end(program(TEXT.format(body=NOT[name])), "entry", ("first", "last"))
    assert refused.value.loc is not None


def test_what_is_called() -> None:
    """All callees of a function are found, but not what those call that are not looked into."""
    found = calls(program(TEXT.format(body="one(); other(); return 1;")), "entry")
    assert found == {"entry": {"one", "other"}, "one": {"last"}, "other": set(), "last": set()}
    assert calls(program(TEXT.format(body="one(); return 1;")), "entry", "one") == {"entry": {"one"}}
