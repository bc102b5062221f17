"""Callees that are not run: what may follow the last, what a caller may do around the others, and what is noted."""

from __future__ import annotations

import pytest

from conformance.readings import program
from vgicheck.c.cuts import Aside, Between, Outside, at_the_end, calls
from vgicheck.c.domain import Address
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Unsupported
from vgicheck.c.memory import Arbitrary, Given
from vgicheck.c.summary import Evaluator, Summary

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


THINGS = """
struct thing {{ int id; }};
struct thing things[4], others[4];
int oracle, other, mark;
int handle(struct thing *t, unsigned n) {{ oracle = n; mark = other; return 1; }}
int update(struct thing *t) {{ oracle = other; return 0; }}
int asked(struct thing *t) {{ mark = other; return 1; }}
void ring(struct thing *t) {{ }}
int entry(int i) {{ int r = 0; {body} return r; }}
"""


def first(inputs: object) -> Address:
    """Return the address of the thing at hand."""
    return Address("things", (0,))


LEAVES = (Address("oracle"),)
HANDLE = Between("handle", first, 1, name="handler", leaves=LEAVES)
UPDATE = Between("update", first, name="update", leaves=LEAVES, rank=1)
ASKED = Aside("asked", first, 1, (4,), array="things")
RING = Outside("ring", "things")
CUTS = (HANDLE, UPDATE, ASKED, RING)


def evaluated(body: str, inputs: Arbitrary | Given | None = None, i: int = 0) -> tuple[Evaluator, Summary]:
    """Evaluate a body with all of these aside."""
    found = Arbitrary(lambda region, key, value: None, lambda fact: None) if inputs is None else inputs
    intrinsics = {**INTRINSICS, **{cut.function: cut.noted for cut in CUTS}}
    e = Evaluator(program(THINGS.format(body=body)), found, intrinsics)
    return e, e.summarise("entry", None, lambda: [i])


APART = {
    "what is done before": ("other = 1; r = handle(things, 5);", HANDLE),
    "what is left is looked at": ("if (handle(things, 5)) r = oracle;", HANDLE),
    "one after the other": ("handle(things, 5); update(things);", UPDATE),
    "questions in their order": ("asked(things); asked(things + 1); r = other;", ASKED),
}
NOT_APART = {
    "what it looks at is written later": ("handle(things, 5); other = 1;", HANDLE, "writes later"),
    "the same of a question": ("asked(things); other = 1;", ASKED, "writes later"),
    "what it writes is looked at": ("handle(things, 5); r = mark;", HANDLE, "its caller touches"),
    "what it writes was looked at": ("r = mark; asked(things);", ASKED, "its caller touches"),
    "another thing": ("handle(things + 1, 5);", HANDLE, "not at hand"),
    "an update that comes first": ("update(things); handle(things, 5);", HANDLE, "out of order"),
    "a question that comes late": ("asked(things + 1); asked(things);", ASKED, "out of order"),
    "a question of what is not known": ("r = asked(things + other);", ASKED, "not known exactly"),
    "a question of another array": ("r = asked(others);", ASKED, "not at hand"),
    "a bell of another array": ("ring(others);", RING, "not at hand"),
}


@pytest.mark.parametrize("name", APART)
def test_what_is_apart(name: str) -> None:
    """A caller may do before what it likes, and later what the callee does not notice."""
    body, cut = APART[name]
    e, _ = evaluated(body)
    cut.kept_apart(e)


@pytest.mark.parametrize("name", NOT_APART)
def test_what_is_not_apart(name: str) -> None:
    """What a callee could notice or change is refused, and what is called otherwise than is known."""
    body, cut, why = NOT_APART[name]
    with pytest.raises(Unsupported, match=why):
        e, _ = evaluated(body)
        assert isinstance(cut, Aside | Between)
        cut.kept_apart(e)


def test_what_is_noted() -> None:
    """How often each is called and with what; what is left and answered is what the inputs say."""
    cells = {("oracle@handler", ()): 7, (HANDLE.answer, ()): 1, ("oracle", ()): 3}
    body = "r = oracle; if (handle(things, 5)) r = 10 * r + oracle; ring(things + i); ring(things + i);"
    _, end = evaluated(body, Given(cells), 2)
    noted = {name: end.after.regions[name] for name in (HANDLE.region, HANDLE.number, RING.region)}
    assert end.result == 37 and noted[HANDLE.region][()] == 1 and noted[HANDLE.number][()] == 5
    assert [noted[RING.region][(n,)] for n in range(4)] == [0, 0, 2, 0]


def test_a_call_with_null_is_told() -> None:
    """Nothing is counted of it, and that it may not be is a claim."""
    _, end = evaluated("ring(0);")
    assert any(c.kind == "no-undefined" and "not called with NULL" in c.text for c in end.claims)
