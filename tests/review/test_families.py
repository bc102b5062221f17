"""Families of variants: the verdicts follow the meaning of the C, not its form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest.mark import ParameterSet

from proofs.generations import october_2012
from tests.review.families import CHANGES, HANDLER, REWRITES, Variant, edited, fragment, judged
from vgicheck.engine.verdict import Verdict

EVERY_TIME = ("wrong bit",)
"""Which variants of the handler are judged in every run of the tests; each takes ten seconds, and there are fifty."""


DEAR = ("one page short",)
"""Which others are left to the slow tests: it takes as long as ten that break the same property."""


def parameters(variants: Sequence[Variant]) -> list[ParameterSet]:
    """Return each variant with how many sizes it is judged of, as parameters of a test.

    In every run that is the smallest, and of the handler a few variants; the slow tests have all sizes, and of the
    handler, which is dear, all variants.
    """
    slow, found = [pytest.mark.slow], []
    for v in variants:
        dear = v.name not in EVERY_TIME if v.function == HANDLER else v.name in DEAR
        found.append(pytest.param(v, 1, id=str(v), marks=slow if dear else []))
        if v.function != HANDLER:
            found.append(pytest.param(v, None, id=f"{v}, all sizes", marks=[*slow, pytest.mark.long]))
    return found


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


@pytest.mark.parametrize(("variant", "sizes"), parameters(REWRITES))
def test_a_rewrite_has_the_verdicts_of_the_good_example(variant: Variant, sizes: int | None) -> None:
    """A function that means the same has the good example's verdict on every property: all are proved."""
    found = judged(edited(variant), variant.function, sizes)
    assert found.keys() == set(october_2012().names(variant.function))
    assert {o.verdict for o in found.values()} == {Verdict.PROVED}, [o.reason for o in found.values()]


@pytest.mark.parametrize(("variant", "sizes"), parameters(CHANGES))
def test_a_change_of_meaning_is_refuted(variant: Variant, sizes: int | None) -> None:
    """One changed token refutes the property that it breaks, and leaves none without an answer."""
    found = judged(edited(variant), variant.function, sizes)
    assert found[variant.refuted].verdict is Verdict.REFUTED
    others = {name: o.reason for name, o in found.items() if o.verdict not in (Verdict.PROVED, Verdict.REFUTED)}
    assert others == {}
