"""The arguments about races that are judged, each in the module of where it stands."""

from __future__ import annotations

from ..argument import Argument
from .comment import COMMENT
from .design import DESIGN

ARGUMENTS: dict[str, Argument] = {argument.id: argument for argument in (*COMMENT, *DESIGN)}
"""By their ids, in the order in which they are listed."""
