"""Finished obligations of earlier runs: what makes a second run short, and never what a verdict rests on.

To build every question again only to find its answer in the cache costs most of what a run costs.  So the
obligations of a task are kept under a digest of all that determines its questions: the text of the program, the
versions of what it uses, and what was asked.  They are believed only where the cache still has the answer to each
question on which their verdicts rest; a verdict stands on answers of solvers to questions, here as in a first run.
"""

from __future__ import annotations

import hashlib
import json
import platform
import types
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache as once
from importlib import metadata, util
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from .cache import Cache
from .verdict import Obligation, Query, Verdict

KIND = "obligations"
FINAL = (Verdict.PROVED, Verdict.REFUTED, Verdict.VACUOUS, Verdict.UNSUPPORTED)
"""Verdicts that another run would not change."""


def fingerprint(packages: Sequence[str], distributions: Sequence[str]) -> str:
    """Return a digest of the source text of our packages, and of the versions of Python and of what else is used."""
    digest = hashlib.sha256()
    for package in packages:
        spec = util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(p for p in Path(place).rglob("*") if p.suffix in (".py", ".h")):
                _add(digest, package, str(path.relative_to(place)), path.read_bytes())
    for name in distributions:
        _add(digest, name, _version(name))
    _add(digest, platform.python_version(), platform.machine())
    return digest.hexdigest()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _add(digest: Any, *parts: str | bytes) -> None:
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)


@dataclass(frozen=True, slots=True)
class Results:
    """The finished obligations that a cache holds for a program as it is, known by its `fingerprint`."""

    cache: Cache
    fingerprint: str

    def get(self, key: Sequence[str], texts: bool = False) -> list[Obligation] | None:
        """Return the obligations of a task, if all that they rest on is still there.

        With `texts` each question comes with its text.
        """
        content = self.cache.get(KIND, self._key(key))
        if content is None:
            return None
        try:
            found: list[Obligation] = decoded(list[Obligation], json.loads(content))
        except (KeyError, TypeError, ValueError):
            return None
        for o in found:
            queries = [self._believed(q, texts) for q in o.queries]
            o.queries = tuple(q for q in queries if q is not None)
            if len(o.queries) < len(queries):
                return None
            o.cached, o.seconds = True, 0.0
        return found

    def _believed(self, query: Query, texts: bool) -> Query | None:
        """Return a question whose answer every one of its solvers has in the cache, or None."""
        if not query.solvers or any(self.cache.answer(s, query.digest) != query.answer for s in query.solvers):
            return None
        text = self.cache.text(query.solvers[0], query.digest) if texts else ""
        return None if text is None else replace(query, cached=True, smtlib=text)

    def put(self, key: Sequence[str], obligations: Sequence[Obligation]) -> None:
        """Keep the obligations of a task, unless a limit or an accident had a part in them."""
        final = all(o.verdict in FINAL or o.settled for o in obligations)
        if final and all(q.answer != "unknown" for o in obligations for q in o.queries):
            plain = [replace(o, queries=tuple(replace(q, smtlib="") for q in o.queries)) for o in obligations]
            self.cache.put(KIND, self._key(key), json.dumps(encoded(plain), separators=(",", ":")).encode())

    def _key(self, key: Sequence[str]) -> str:
        digest = hashlib.sha256()
        _add(digest, self.fingerprint, *key)
        return digest.hexdigest()


def encoded(value: Any) -> Any:
    """Return records, tuples, enums and scalars as JSON has them."""
    if is_dataclass(value):
        return {f.name: encoded(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple | list):
        return [encoded(v) for v in value]
    return value.value if isinstance(value, Enum) else value


def decoded(kind: Any, value: Any) -> Any:
    """Return a value of an annotated type from what `encoded` made. Raises `TypeError` where it is something else."""
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = next(k for k in get_args(kind) if k is not types.NoneType)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list or (origin is tuple and arguments[-1] is ...):
        return origin(decoded(arguments[0], v) for v in _of(list, value))
    if origin is tuple:
        return tuple(decoded(k, v) for k, v in zip(arguments, _of(list, value), strict=True))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: decoded(hints[name], v) for name, v in _of(dict, value).items()})
    if issubclass(kind, Enum):
        return kind(value)
    return _of(kind, value)


@once
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _of(kind: Any, value: Any) -> Any:
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
