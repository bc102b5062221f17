"""Where the C to be checked stands: a file, a directory, a kernel tree, or a revision of one in git.

A revision is read through git's object store: nothing is checked out, and the tree is not written to.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

MOST_BYTES: Final = 4_000_000
"""Of one file."""
PLACES: Final = ("arch/arm/kvm/vgic.c", "virt/kvm/arm/vgic.c")
"""Where the VGIC has stood in one file, the older place first."""
FOLDERS: Final = ("arch/arm64/kvm/vgic", "virt/kvm/arm/vgic")
"""Where it stands in several, the newer place first."""
BESIDE: Final[Mapping[str, Sequence[str]]] = {
    "virt/kvm/arm/vgic.c": ("virt/kvm/arm/vgic-v2.c", "virt/kvm/arm/vgic-v2-emul.c"),
    "arch/arm64/kvm/vgic/vgic-mmio-v2.c": tuple(
        f"arch/arm64/kvm/vgic/{name}" for name in ("vgic.c", "vgic-v2.c", "vgic-mmio.c")
    ),
}
"""What is linked to a file where the host has a GICv2, and is read as one text with it where it is there."""
_SECONDS: Final = 30.0
_QUIET: Final[Mapping[str, str]] = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class SourceError(Exception):
    """What was given cannot be checked: what, why, and what to do, in one line."""

    def __init__(self, what: str, why: str, todo: str) -> None:
        super().__init__(" ".join(f"{what}: {why}; {todo}".split()))


class Tree(Protocol):
    """Files under a root, by their path from it."""

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where there is no such file. Raises `SourceError` for one that is no text."""

    def names(self, folder: str) -> Sequence[str]:
        """List the names of the files of a folder; none where there is no such folder."""


@dataclass(frozen=True, slots=True)
class Files:
    """A tree on the disk."""

    root: Path

    def read(self, path: str) -> str | None:
        """Return a file's text."""
        place = self.root / path
        try:
            if not place.is_file():
                return None
            with place.open("rb") as file:
                return _text(file.read(MOST_BYTES + 1), str(place))
        except (OSError, ValueError) as error:
            raise SourceError(str(place), _reason(error), "give a file that can be read") from None

    def names(self, folder: str) -> Sequence[str]:
        """List the names of the files of a folder."""
        try:
            return sorted(p.name for p in (self.root / folder).iterdir() if p.is_file())
        except OSError:
            return ()


@dataclass(frozen=True, slots=True)
class Texts:
    """A tree that is not on the disk: the texts of its files, by their paths."""

    files: Mapping[str, str]

    def read(self, path: str) -> str | None:
        """Return a file's text."""
        return self.files.get(path)

    def names(self, folder: str) -> Sequence[str]:
        """List the names of the files of a folder."""
        return sorted(name for at, _, name in (path.rpartition("/") for path in self.files) if at == folder)


@dataclass(frozen=True, slots=True)
class Revision:
    """A tree as a commit of a git repository has it."""

    repository: Path
    commit: str
    _known: dict[str, str | None] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        """Return a file's text."""
        if path not in self._known:
            ended = _git(self.repository, "cat-file", "blob", f"{self.commit}:{path}")
            self._known[path] = None if ended.returncode else _text(ended.stdout, f"{self.commit[:12]}:{path}")
        return self._known[path]

    def names(self, folder: str) -> Sequence[str]:
        """List the names of the files of a folder."""
        ended = _git(self.repository, "ls-tree", "--name-only", "-z", f"{self.commit}:{folder}")
        return sorted(ended.stdout.decode(errors="replace").split("\0")[:-1]) if ended.returncode == 0 else ()


@dataclass(frozen=True, slots=True)
class Source:
    """C files to be checked, by their paths in a tree; `name` is what the user called it.

    `beside` has for a file those that are read as one text with it, before it.
    """

    name: str
    tree: Tree
    paths: tuple[str, ...]
    beside: Mapping[str, Sequence[str]] = field(default_factory=lambda: BESIDE)


def no_function(source: Source) -> SourceError:
    """Return what is wrong with a source in which nothing is a function."""
    return SourceError(source.name, f"there is no function in {', '.join(source.paths)}", "give a C source")


def find(argument: str) -> Source:
    """Find the C that a command-line argument means. Raises `SourceError` where there is none."""
    if "\0" in argument or not argument:
        raise SourceError("SOURCE", "no name", "give a file, a directory, a kernel tree or TREE@REV")
    place = Path(argument)
    try:
        if place.is_file():
            return Source(argument, *_around(place))
        if place.is_dir():
            return Source(argument, Files(place), _searched(Files(place), argument))
    except OSError as error:
        raise SourceError(argument, _reason(error), "give one that can be read") from None
    folder, at, revision = argument.rpartition("@")
    if not at:
        raise SourceError(argument, "no such file or directory", "give a file, a directory, a kernel tree or TREE@REV")
    tree = _revision(Path(folder or "."), revision, argument)
    return Source(argument, tree, _searched(tree, argument))


def _around(place: Path) -> tuple[Files, tuple[str, ...]]:
    """Return the tree that a file belongs to, its own directory where it belongs to none, and its path there."""
    full = place.absolute()
    for path in PLACES + tuple(f"{folder}/{place.name}" for folder in FOLDERS):
        depth = len(PurePosixPath(path).parts)
        if full.parts[-depth:] == PurePosixPath(path).parts:
            return Files(Path(*full.parts[:-depth])), (path,)
    return Files(place.parent), (place.name,)


def _searched(tree: Tree, name: str) -> tuple[str, ...]:
    if tree.read("vgic.c") is not None:
        return ("vgic.c",)
    for path in PLACES:
        if tree.read(path) is not None:
            return (path,)
    for folder in FOLDERS:
        found = tuple(f"{folder}/{n}" for n in tree.names(folder) if n.endswith(".c"))
        if found:
            linked = {name for path in found for name in BESIDE.get(path, ())}
            return tuple(path for path in found if path not in linked)
    searched = ", ".join(("vgic.c", *PLACES, *(f"{folder}/*.c" for folder in FOLDERS)))
    raise SourceError(name, f"there is none of {searched}", "give a tree that has the VGIC, or the file itself")


def _revision(repository: Path, revision: str, argument: str) -> Revision:
    if not repository.is_dir():
        raise SourceError(argument, f"{repository} is no directory", "give TREE@REV with a git repository as TREE")
    ended = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().split("\n")[0]
        raise SourceError(argument, said or f"no commit {revision}", "give a revision that the repository has")
    return Revision(repository, ended.stdout.decode().strip())


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", str(repository), *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **_QUIET},
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise SourceError(str(repository), "git is not installed", "install it, or give a directory") from None
    except (subprocess.TimeoutExpired, OSError, ValueError) as error:
        raise SourceError(str(repository), f"git: {_reason(error)}", "give a directory instead") from None


def _text(content: bytes, name: str) -> str:
    if len(content) > MOST_BYTES:
        raise SourceError(name, f"more than {MOST_BYTES} bytes", "give the C source of a VGIC")
    return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "�")


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else " ".join(str(error).split())
