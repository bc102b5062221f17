"""CrossHair on each contract: it holds for the model, and its fault is found, with a call that shows it."""

from __future__ import annotations

import pytest

from tests.contracts import hardware, software
from tests.contracts.contract import CONTRACTS, Contract
from tests.contracts.run import check
from vgicheck.engine.values import is_symbolic

pytestmark = pytest.mark.filterwarnings("ignore:typing:DeprecationWarning")  # of CrossHair's own imports

BLIND = ["rank_is_the_order_of_the_flush", "record_comes_back_from_its_word", "word_comes_back_from_its_record"]
"""Contracts whose paths run through shifts and masks, which CrossHair tries number by number."""


def test_every_contract_is_listed() -> None:
    """The contracts of both modules are the list, each once, and all but those over bit masks are to be confirmed."""
    written = [
        name
        for module in (hardware, software)
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
        and getattr(value, "__annotations__", {}).get("return") == "None"
    ]
    assert sorted(c.name for c in CONTRACTS) == sorted(written) and len(written) > 15
    assert sorted(c.name for c in CONTRACTS if c.explored) == BLIND


def test_arbitrary_arguments_are_plain() -> None:
    """What CrossHair calls the model with is no Z3 term to the model: the reading that is checked is the plain one."""

    def arbitrary(word: int, bit: bool) -> None:
        assert word != 7
        assert not is_symbolic(word) and not is_symbolic(bit) and isinstance(word, int)

    assert check(arbitrary).confirmed


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_contract(contract: Contract) -> None:
    """CrossHair confirms the contract over all paths; over bit masks it finds no counterexample on as many as stated."""
    answer = check(contract.function, *([contract.explored] if contract.explored else []))
    assert answer.error == "", f"{answer.error} when calling {answer.call}"
    if contract.explored:
        assert not answer.confirmed and answer.paths == contract.explored
    else:
        assert answer.confirmed and answer.paths > 1


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_broken_twin(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    """CrossHair refutes the contract of the model with the fault, by a call that fails there and passes on the model."""
    scope = contract.function.__globals__
    with monkeypatch.context() as broken:
        broken.setitem(scope, contract.module, contract.broken())
        answer = check(contract.function)
        assert answer.error == "AssertionError", answer
        with pytest.raises(AssertionError):
            eval(answer.call, scope)
    eval(answer.call, scope)
