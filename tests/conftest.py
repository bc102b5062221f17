"""What every test has: a cache of its own, empty at its start."""

from __future__ import annotations

from pathlib import Path

import pytest

from vgicheck.engine.cache import VARIABLE


@pytest.fixture(autouse=True)
def cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests, and the tests out of it."""
    place: Path = tmp_path_factory.getbasetemp() / "caches"
    place.mkdir(exist_ok=True)
    monkeypatch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
