"""What a contract is: a function of arbitrary arguments over the plain reading of the model, and a fault that it finds.

The leading asserts of a contract are its premise, those after them what must hold.  It calls the model through modules
(`gich.acknowledge`), so that a broken twin of one can take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

from model.gich import Hcr
from mutation.exchange import faulty, text_of, twin
from vgicheck.engine.values import zeroed

SGI, PPI, SPI = 3, 27, 34
ONE_OF_EACH = (SGI, PPI, SPI)
"""INTIDs at which a contract writes maps.  What is hashed CrossHair tries number by number, so they are few."""
CREATED: Hcr = replace(zeroed(Hcr), en=True)
"""GICH_HCR of a new vCPU."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, and the fault: `old`, which stands once in the text of a module of the model, becomes `new`.

    explored  None: CrossHair confirms the contract over all paths.  A number: it cannot, since the path runs through
              bit masks or is too long, and is held to so many paths without a counterexample.
    """

    function: Callable[..., None]
    module: str
    old: str
    new: str
    explored: int | None

    @property
    def name(self) -> str:
        return self.function.__name__

    def broken(self) -> ModuleType:
        """Return the module of the model with the fault."""
        module = f"model.{self.module}"
        return twin(module, faulty(text_of(module), self.old, self.new))


CONTRACTS: list[Contract] = []
"""Every contract, in the order in which they were read."""


def contract(
    module: str, old: str, new: str, *, explored: int | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a contract, with its fault; see `Contract`."""

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        CONTRACTS.append(Contract(function, module, old, new, explored))
        return function

    return declare
