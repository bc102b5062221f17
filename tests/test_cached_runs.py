"""A run after a run: the same answer, sooner; and runs that are disturbed."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from vgicheck.engine.cache import Cache, digest_of

from .shared import EXAMPLES, ROOT

PROVE = ("prove", "vm-init-once", "hyp-init-unwinds", "lr-codec")
REVIEW = ("review", str(EXAMPLES / "bad-node-leak.patch"))
SLOW = ("prove", "eoi-touches-nothing-else", "misr-exact")
COMMAND = (sys.executable, "-c", "from vgicheck.cli import main; main()")


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "VGICHECK_CACHE": str(cache)}


def run(cache: Path, *args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *args], capture_output=True, timeout=150, check=False, env=environment(cache),
                          **more)  # fmt: skip


def told(cache: Path, out: Path, *args: str) -> dict[str, Any]:
    """Return the document that a run writes."""
    run(cache, *args, "--json", str(out))
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("args", [PROVE, REVIEW])
def test_cold_and_warm_say_the_same(args: tuple[str, ...], tmp_path: Path) -> None:
    """Without a cache, with an empty one and with a full one a command prints the same bytes and leaves the same files.

    The document in a file differs in `cached` and `seconds` alone, and they tell the truth.
    """
    cache, results, documents = tmp_path / "cache", [], []
    for n, more in enumerate((("--no-cache", "--jobs", "1"), (), ())):
        keep = ("--keep", str(tmp_path / f"kept{n}"))
        results.append(run(cache, *args, *keep, *more, "--json", str(tmp_path / f"{n}.json")))
        documents.append(json.loads((tmp_path / f"{n}.json").read_text()))
        assert cache.exists() == (n > 0)
    assert len({(r.stdout, r.stderr, r.returncode) for r in results}) == 1
    assert files(tmp_path / "kept0") == files(tmp_path / "kept1") == files(tmp_path / "kept2") != {}
    asked = [[o["cached"] for o in d["obligations"] if o["verdict"] in ("proved", "refuted")] for d in documents]
    assert (set(asked[0]), False in asked[1], set(asked[2])) == ({False}, True, {True})
    for document in documents:
        for o in document["obligations"]:
            del o["cached"], o["seconds"]
    assert documents[0] == documents[1] == documents[2]
    streams = [run(cache, *args, *more, "--json", "-").stdout for more in (("--no-cache",), ())]
    assert streams[0] == streams[1]


def test_other_questions_do_not_disturb(tmp_path: Path) -> None:
    """Answers are found again where finished obligations are not: by the questions' texts, in whatever order."""
    cache, out = tmp_path / "cache", tmp_path / "out.json"
    told(cache, out, *PROVE)
    for path in (cache / "obligations").rglob("*"):
        if path.is_file():
            path.unlink()
    again = told(cache, out, PROVE[0], *PROVE[:0:-1], "vm-maps-only-gicv", "--jobs", "1")
    assert {o["property"]: o["cached"] for o in again["obligations"]} == {
        **dict.fromkeys(PROVE[1:], True),
        "vm-maps-only-gicv": False,
    }


def test_a_torn_answer_is_asked_for_again(tmp_path: Path) -> None:
    """An obligation of which one answer on disk is torn is judged again, and the others are not."""
    cache, out, kept = tmp_path / "cache", tmp_path / "out.json", tmp_path / "kept"
    run(cache, *PROVE, "--keep", str(kept))
    digest = digest_of((kept / "lr_codec/lr-codec/3.smt2").read_text())
    (torn,) = (cache / "answers" / digest[:2]).glob(f"{digest[2:]}-*")
    torn.write_bytes(torn.read_bytes()[:-1])
    for cached in (False, True):
        found = {o["property"]: (o["verdict"], o["cached"]) for o in told(cache, out, *PROVE)["obligations"]}
        assert found.pop("lr-codec") == ("proved", cached)
        assert set(found.values()) == {("proved", True)}


def test_a_wrong_answer_refutes_nothing(tmp_path: Path) -> None:
    """A false `sat` under a right checksum is no run: the obligation is judged again, and not refuted."""
    cache, out, kept = tmp_path / "cache", tmp_path / "out.json", tmp_path / "kept"
    run(cache, "prove", "lr-codec", "--keep", str(kept))
    Cache(cache).keep_answer("z3", (kept / "lr_codec/lr-codec/3.smt2").read_text(), "sat")
    (found,) = told(cache, out, "prove", "lr-codec")["obligations"]
    assert (found["verdict"], found["cached"]) == ("proved", False)


@pytest.mark.parametrize("place", ["/proc/nothing/here", "/dev/null"])
def test_a_cache_that_cannot_be_is_no_failure(place: str, tmp_path: Path) -> None:
    """Without a place for the cache the run is what it is with one, and says nothing where no terminal listens."""
    result = run(Path(place), *PROVE)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == run(tmp_path / "cache", *PROVE).stdout


def test_a_disk_without_room_loses_nothing(tmp_path: Path) -> None:
    """Where no file can grow, a run ends as ever, and leaves no entry that the next run could believe."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    cache = tmp_path / "cache"
    result = run(cache, *PROVE, preexec_fn=no_room)
    assert (result.returncode, result.stderr) == (0, b"")
    assert all(name == "swept" for name in files(cache))
    assert run(cache, *PROVE).stdout == result.stdout


def started(cache: Path, *args: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a run; return it with the processes that it started, as soon as there are two."""
    process = subprocess.Popen([*COMMAND, *args, "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(cache))  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 30
    while len(found := children.read_text().split()) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    return process, [int(pid) for pid in found]


def left(pids: list[int]) -> list[int]:
    """Return which processes are there after a moment."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.01)
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_an_interrupt_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C ends a run with exit code 130, one line, and no process left."""
    process, children = started(tmp_path, "prove")
    assert len(children) == 2
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"vgicheck: interrupted\n")
    assert left(children) == []


def test_a_killed_run_loses_nothing(tmp_path: Path) -> None:
    """After kill -9 of a run nothing of it is left running, and the next run says what an undisturbed one says."""
    cache = tmp_path / "cache"
    process, children = started(cache, *SLOW)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    assert len(children) == 2 and left(children) == []
    assert run(cache, *SLOW).stdout == run(cache, *SLOW, "--no-cache").stdout


def test_progress_is_for_a_terminal(tmp_path: Path) -> None:
    """A terminal on stderr is told of progress and, at the end, of a cache that cannot be; stdout is the same."""
    listener, terminal = pty.openpty()
    result = subprocess.run([*COMMAND, *PROVE], stdout=subprocess.PIPE, stderr=terminal, timeout=150, check=True,
                            env=environment(Path("/dev/null")))  # fmt: skip
    os.close(terminal)
    shown = os.read(listener, 1 << 16).decode()
    os.close(listener)
    assert re.search(r"\r\x1b\[K3/3 \d+ s: 3 proved; \w+/[\w-]+\r\x1b\[K", shown)
    assert "vgicheck: nothing is kept for the next run: /dev/null: File exists" in shown
    assert result.stdout == run(tmp_path, *PROVE).stdout


def test_two_solvers(tmp_path: Path) -> None:
    """--solver two names two solvers for every proof, cold and warm, and prints what one solver prints."""
    pytest.importorskip("bitwuzla")
    out = tmp_path / "out.json"
    for cached in (False, True):
        found = told(tmp_path / "cache", out, *PROVE, "--solver", "two")["obligations"]
        assert {tuple(o["solvers"]) for o in found} == {("z3", "bitwuzla")}
        assert {o["cached"] for o in found} == {cached}
    assert run(tmp_path / "cache", *PROVE, "--solver", "two").stdout == run(tmp_path / "cache", *PROVE).stdout
    assert run(tmp_path, *PROVE, "--solver", "three").returncode == 2
