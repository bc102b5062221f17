"""Finished obligations of earlier runs: served only while all that they rest on is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vgicheck.engine.cache import Cache, digest_of
from vgicheck.engine.results import Results, decoded, encoded, fingerprint
from vgicheck.engine.verdict import (
    Assumption,
    Change,
    Location,
    Obligation,
    Query,
    Replay,
    Run,
    Value,
    Verdict,
)

TEXTS = {"0": "(assert false)", "witness-0": "(assert true)"}
QUERIES = (
    Query("0", digest_of(TEXTS["0"]), "unsat", ("z3", "bitwuzla")),
    Query("witness-0", digest_of(TEXTS["witness-0"]), "sat", ("z3",)),
)
PROVED = Obligation("p", "f", Verdict.PROVED, "method", "bounds", (Assumption("a", "g"),), ("z3", "bitwuzla"), 1.5,
                    queries=QUERIES)  # fmt: skip
RUN = Run("s", (Value("v", "1", "n"),), (Value("lr", "3"),), (Change("c", "0", "1", True),), Location("f.c", 3),
          (1, 2), True, ("python",))  # fmt: skip
REFUTED = Obligation("q", "f", Verdict.REFUTED, reason="r", location=Location("f.c", 3), run=RUN, queries=QUERIES[1:],
                     replay=Replay("e", 2, (("x", 1),), (("y", 32, 7),), "claim", True, "", 128,
                                   ("&a", "1"), (("p", "&a"),), ("int a;",), "&a[1]", True))  # fmt: skip
KEY = ("prove", "reference")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache with the answers that the obligations rest on."""
    made = Cache(tmp_path)
    for query in QUERIES:
        for solver in query.solvers:
            made.keep_answer(solver, TEXTS[query.name], query.answer)
    return made


def served(o: Obligation) -> Obligation:
    """An obligation as the cache gives it back."""
    return replace(o, seconds=0.0, cached=True, queries=tuple(replace(q, cached=True) for q in o.queries))


def test_obligations_come_back(cache: Cache) -> None:
    """Everything of an obligation comes back, but the time, and it says that it is cached; texts come on request."""
    Results(cache, "print").put(KEY, [PROVED, REFUTED])
    assert Results(cache, "print").get(KEY) == [served(PROVED), served(REFUTED)]
    found = Results(cache, "print").get(KEY, texts=True)
    assert found is not None
    assert [q.smtlib for o in found for q in o.queries] == [TEXTS[q.name] for q in (*QUERIES, QUERIES[1])]


def test_another_program_or_question_finds_nothing(cache: Cache) -> None:
    """Another fingerprint or key finds nothing, however its parts are cut."""
    Results(cache, "print").put(KEY, [PROVED])
    assert Results(cache, "other").get(KEY) is None
    for key in (("prove",), ("prove", "referenc", "e"), ("provereference",), ("reference", "prove")):
        assert Results(cache, "print").get(key) is None


@pytest.mark.parametrize("loss", ["z3", "bitwuzla"])
def test_a_verdict_without_its_answers_is_not_served(cache: Cache, loss: str) -> None:
    """Where one solver's answer to one question is gone, torn or different, the obligations are absent."""
    results = Results(cache, "print")
    results.put(KEY, [PROVED])
    (path,) = cache.root.glob(f"answers/{QUERIES[0].digest[:2]}/{QUERIES[0].digest[2:]}-{loss}-*")
    whole = path.read_bytes()
    for damage in (whole[:-1], b""):
        path.write_bytes(damage)
        assert results.get(KEY) is None
    cache.keep_answer(loss, TEXTS["0"], "sat")
    assert results.get(KEY) is None
    path.unlink()
    assert results.get(KEY) is None
    cache.keep_answer(loss, TEXTS["0"], "unsat")
    assert results.get(KEY) == [served(PROVED)]


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.NOT_RUN])
def test_what_is_not_final_is_not_kept(cache: Cache, verdict: Verdict) -> None:
    """An obligation that a limit or an accident left open keeps its task from being kept."""
    results = Results(cache, "print")
    results.put(KEY, [PROVED, replace(PROVED, verdict=verdict)])
    assert results.get(KEY) is None


def test_strange_content_is_absent(cache: Cache) -> None:
    """Content of another shape, under a right checksum, is absent and no accident."""
    results = Results(cache, "print")
    good = encoded([PROVED])
    for content in ([1], {"a": 1}, [{**good[0], "verdict": "certain"}], [{**good[0], "seconds": "1"}],
                    [{**good[0], "more": 1}], [{"property": "p"}], [{**good[0], "queries": [[]]}]):  # fmt: skip
        cache.put("obligations", results._key(KEY), json.dumps(content).encode())
        assert results.get(KEY) is None
    cache.put("obligations", results._key(KEY), b"[")
    assert results.get(KEY) is None


def test_the_codec_is_faithful() -> None:
    """What is encoded is decoded to an equal value, by way of JSON."""
    for value in (PROVED, REFUTED):
        assert decoded(Obligation, json.loads(json.dumps(encoded(value)))) == value


def test_the_fingerprint_is_of_every_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of any Python text or header of a package, and a new file, changes its fingerprint; others do not."""
    package = tmp_path / "fingerprinted"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/m.py", "deep/h.h", "note.txt"):
        (package / name).write_text("1")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = [fingerprint(["fingerprinted"], ["z3-solver"])]
    (package / "note.txt").write_text("2")
    assert fingerprint(["fingerprinted"], ["z3-solver"]) == seen[0]
    for name in ("__init__.py", "deep/m.py", "deep/h.h", "deep/new.py"):
        (package / name).write_text("2")
        seen.append(fingerprint(["fingerprinted"], ["z3-solver"]))
    seen += [fingerprint(["fingerprinted"], []), fingerprint(["fingerprinted"], ["cvc5"])]
    assert len(set(seen)) == len(seen)
