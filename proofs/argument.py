"""An argument that a race is harmless, as something that can be judged: who says what, of whom, and why."""

from __future__ import annotations

from dataclasses import dataclass

from .instances import INSTANCE, Size
from .premise import Premise


@dataclass(frozen=True, slots=True)
class Argument:
    """A stated reason why code that runs at the same time does no harm.

    words       the claim, as it is made or as it is commonly put
    where       where it stands: file, function, comment
    between     the functions that are said not to hurt each other
    premise     what the reason takes for granted
    conclusion  the id of the property that is said to hold for this reason
    generation  the VGIC of which it is said
    instances   the small machines in which it is judged, by their names
    granted     what is not in doubt here: the other half of the same comment, say
    delivers    whether it is also asked that level interrupts are delivered in the end

    A premise can be wrong and the conclusion hold all the same, or the premise hold and the conclusion not follow.
    """

    id: str
    words: str
    where: str
    between: tuple[str, str]
    premise: Premise
    conclusion: str
    generation: str
    instances: tuple[str, ...]
    granted: tuple[Premise, ...] = ()
    delivers: bool = False

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The small machines in which it is judged."""
        return tuple(INSTANCE[name] for name in self.instances)
