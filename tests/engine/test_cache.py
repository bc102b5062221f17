"""The cache: an entry is whole and right, or absent, whatever happened to it."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vgicheck.engine import cache as module
from vgicheck.engine.cache import DAY, Cache, digest_of, directory

from ..shared import ROOT

TEXT = "(assert (= x (bvnot x)))\n(check-sat)\n"
DIGEST = digest_of(TEXT)


def entries(root: Path) -> list[Path]:
    """The files of a cache, begun ones too."""
    return sorted(p for p in root.rglob("*") if p.is_file())


def test_what_is_put_is_found(tmp_path: Path) -> None:
    """An entry is found under its kind and key, in this process and by another Cache, and replaced by a new one."""
    Cache(tmp_path).put("kind", "abcd", b"one")
    assert Cache(tmp_path).get("kind", "abcd") == b"one"
    assert Cache(tmp_path).get("other", "abcd") is None
    assert Cache(tmp_path).get("kind", "abce") is None
    Cache(tmp_path).put("kind", "abcd", b"")
    assert Cache(tmp_path).get("kind", "abcd") == b""
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("answer", ["sat", "unsat"])
def test_final_answers_are_kept(tmp_path: Path, answer: str) -> None:
    """A final answer is found by the text's digest with the text, for the solver that gave it."""
    Cache(tmp_path).keep_answer("z3", TEXT, answer)
    assert Cache(tmp_path).answer("z3", DIGEST) == answer
    assert Cache(tmp_path).text("z3", DIGEST) == TEXT
    assert Cache(tmp_path).answer("bitwuzla", DIGEST) is None
    assert Cache(tmp_path).answer("z3", digest_of(TEXT + " ")) is None


@pytest.mark.parametrize("answer", ["unknown", "could not be asked: no", "", "UNSAT"])
def test_other_answers_are_not_kept(tmp_path: Path, answer: str) -> None:
    """What is no final answer is not kept, and so not served to a run with a longer limit."""
    Cache(tmp_path).keep_answer("z3", TEXT, answer)
    assert entries(tmp_path) == []


def test_another_version_has_other_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of another version of the solver is not served."""
    Cache(tmp_path).keep_answer("z3", TEXT, "unsat")
    monkeypatch.setattr(module, "version", lambda solver: "9.9")
    assert Cache(tmp_path).answer("z3", DIGEST) is None


def test_every_damage_is_seen(tmp_path: Path) -> None:
    """An entry that is cut anywhere, has any byte changed or grew is absent; written again it is there."""
    Cache(tmp_path).keep_answer("z3", TEXT, "unsat")
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    damaged = [whole[:n] for n in range(len(whole))]
    damaged += [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(len(whole))]
    damaged += [whole + b"\0", b"\0" * len(whole)]
    for content in damaged:
        path.write_bytes(content)
        assert Cache(tmp_path).answer("z3", DIGEST) is None
    Cache(tmp_path).keep_answer("z3", TEXT, "unsat")
    assert Cache(tmp_path).answer("z3", DIGEST) == "unsat"


def test_an_entry_in_anothers_place_is_absent(tmp_path: Path) -> None:
    """A whole entry under the name of another key is not served: the checksum is over key and answer."""
    Cache(tmp_path).keep_answer("z3", TEXT, "unsat")
    (path,) = entries(tmp_path)
    other = digest_of("(assert true)\n")
    moved = path.parents[1] / other[:2] / path.name.replace(DIGEST[2:], other[2:])
    moved.parent.mkdir(exist_ok=True)
    path.rename(moved)
    assert Cache(tmp_path).answer("z3", other) is None


WRITER = """
import random, sys
from pathlib import Path
from vgicheck.engine.cache import Cache
store, pick = Cache(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
print("ready", flush=True)
for n in range(int(sys.argv[3])):
    key = f"{pick.randrange(40):04d}"
    store.put("kind", key, (key * pick.randrange(1, 20000)).encode())
print(store.trouble or "done", flush=True)
"""


def writer(root: Path, seed: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), str(seed), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def consistent(root: Path) -> int:
    """Check every entry; return how many there are."""
    found = [(n, Cache(root).get("kind", f"{n:04d}")) for n in range(40)]
    whole = [(n, content) for n, content in found if content is not None]
    assert all(content == f"{n:04d}".encode() * (len(content) // 4) for n, content in whole)
    return len(whole)


def test_writers_at_the_same_time_and_killed_ones(tmp_path: Path) -> None:
    """Of processes that write the same keys at once, some killed in the middle, only whole entries remain."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pick = random.Random(seed)
    kept = [writer(tmp_path, seed + n, 400) for n in range(2)]
    for n in range(4):
        killed = writer(tmp_path, seed + 10 + n, 10**9)
        assert killed.stdout is not None
        assert killed.stdout.readline() == "ready\n"
        time.sleep(pick.random() * 0.1)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        consistent(tmp_path)
    assert [process.communicate()[0] for process in kept] == ["ready\ndone\n"] * 2
    assert consistent(tmp_path) == 40


FULL = """
import resource, sys
from pathlib import Path
from vgicheck.engine.cache import Cache
store = Cache(Path(sys.argv[1]))
store.put("kind", "small", b"x")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store.put("kind", "large", b"x" * 5000)
print(store.get("kind", "small"), store.get("kind", "large"), store.trouble)
"""


def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    """An entry that does not fit leaves nothing of itself, harms no other and is told as trouble."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert said == f"b'x' None {tmp_path}: {os.strerror(errno.EFBIG)}\n"
    assert [p.name for p in entries(tmp_path)] == ["all"]


def test_a_full_disk(tmp_path: Path) -> None:
    """On a file system without room entries are kept while they fit; then there is trouble, and what is there stays."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        store = Cache(tmp_path)
        for n in range(40):
            store.put("kind", f"{n:04d}", f"{n:04d}".encode() * 1000)
        assert store.trouble == f"{tmp_path}: {os.strerror(errno.ENOSPC)}"
        assert 0 < consistent(tmp_path) < 40
        assert all(not p.name.startswith(".") for p in entries(tmp_path))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("obstacle", ["file", "missing parent is a file"])
def test_a_place_that_is_no_directory(tmp_path: Path, obstacle: str) -> None:
    """A cache that cannot be made is trouble in one line, and everything is absent."""
    (tmp_path / "x").write_text("")
    store = Cache(tmp_path / "x" if obstacle == "file" else tmp_path / "x" / "y")
    store.sweep()
    store.put("kind", "abcd", b"one")
    assert store.get("kind", "abcd") is None
    assert store.trouble in [f"{store.root}: {os.strerror(number)}" for number in (errno.ENOTDIR, errno.EEXIST)]


def test_old_entries_are_swept(tmp_path: Path) -> None:
    """An entry that nothing read for a month goes, a read one stays, and so does one that is being written."""
    store = Cache(tmp_path)
    for key in ("aaaa", "bbbb", "cccc"):
        store.put("kind", key, b"x")
    begun, left = (tmp_path / "kind" / "aa" / name for name in (".begun", ".left"))
    for path, days in ((tmp_path / "kind/aa/aa", 31), (tmp_path / "kind/bb/bb", 31), (begun, 0.5), (left, 2)):
        path.touch()
        os.utime(path, (time.time() - days * DAY,) * 2)
    assert store.get("kind", "bbbb") == b"x"
    store.sweep()
    assert [p.name for p in entries(tmp_path / "kind")] == [".begun", "bb", "cc"]


def test_the_sweep_is_rare(tmp_path: Path) -> None:
    """A second sweep on the same day looks at nothing."""
    store = Cache(tmp_path)
    store.sweep()
    store.put("kind", "aaaa", b"x")
    os.utime(tmp_path / "kind/aa/aa", (0, 0))
    store.sweep()
    assert store.get("kind", "aaaa") == b"x"


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """VGICHECK_CACHE names the directory; else it is vgicheck in XDG_CACHE_HOME if that is absolute, else in ~/.cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("VGICHECK_CACHE", "/y/z")
    assert directory() == Path("/y/z")
    monkeypatch.delenv("VGICHECK_CACHE")
    assert directory() == Path("/x/vgicheck")
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert directory() == tmp_path / ".cache/vgicheck"
