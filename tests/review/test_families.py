"""Families of variants: the verdicts follow the meaning of the C, not its form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest.mark import ParameterSet

from proofs.generations import october_2012
from tests.review.families import CHANGES, HANDLER, REWRITES, Variant, edited, fragment, judged
from vgicheck.engine.verdict import Verdict

EVERY_TIME = ("test each bit", "wrong bit")
"""Which variants of the handler are judged in every run of the tests; each takes ten seconds, and there are fifty."""


def parameters(variants: Sequence[Variant]) -> list[ParameterSet]:
    """Return the variants as parameters of a test; most of the handler's are for the slow tests."""
    slow = [v.function == HANDLER and v.name not in EVERY_TIME for v in variants]
    return [
        pytest.param(v, id=str(v), marks=[pytest.mark.slow] if s else []) for v, s in zip(variants, slow, strict=True)
    ]


def test_the_families_are_large_enough() -> None:
    """There are twenty rewrites and forty changes of meaning or more, of all five functions, under different names."""
    assert len(REWRITES) >= 20
    assert len(CHANGES) >= 40
    for family in (REWRITES, CHANGES):
        assert len({v.function for v in family}) == 5
        assert len({str(v) for v in family}) == len(family)


@pytest.mark.parametrize("variant", [*REWRITES, *CHANGES], ids=str)
def test_every_variant_differs_from_the_good_example(variant: Variant) -> None:
    """Each edit applies, and changes the text."""
    assert edited(variant) != fragment(variant.function)


@pytest.mark.parametrize("variant", parameters(REWRITES))
def test_a_rewrite_has_the_verdicts_of_the_good_example(variant: Variant) -> None:
    """A function that means the same has the good example's verdict on every property: all are proved."""
    found = judged(edited(variant), variant.function)
    assert found.keys() == set(october_2012().names(variant.function))
    assert {o.verdict for o in found.values()} == {Verdict.PROVED}, [o.reason for o in found.values()]


@pytest.mark.parametrize("variant", parameters(CHANGES))
def test_a_change_of_meaning_is_refuted(variant: Variant) -> None:
    """One changed token refutes the property that it breaks, and leaves none without an answer."""
    found = judged(edited(variant), variant.function)
    assert found[variant.refuted].verdict is Verdict.REFUTED
    others = {name: o.reason for name, o in found.items() if o.verdict not in (Verdict.PROVED, Verdict.REFUTED)}
    assert others == {}
