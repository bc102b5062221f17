"""What the tests of the oracle share."""

from __future__ import annotations

import shutil

import pytest

from oracle.qtest import PROGRAM

needs_qemu = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed: apt-get install qemu-system-arm"
)
