"""Questions to solvers: one assertion list, one answer, a time limit, and the SMT-LIB text for a second opinion."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import z3


@dataclass(frozen=True, slots=True)
class Answer:
    """`sat`, `unsat` or `unknown`; with `sat` comes a model, with `unknown` the solver's reason."""

    result: str
    seconds: float
    model: Any = None
    reason: str = ""
    solver: str = "z3"


QUICK = 100_000
"""Solver's steps for a question that is likely to have an easy answer: steps, not seconds, so that every run is the
same.
"""
PIECE = 2_500_000
"""Solver's steps, about half a second, for the first try at a question."""
VALUE = 1_000_000
"""Solver's steps for one value of the index by which a question is split."""


def ask(assertions: Sequence[Any], timeout: float, split: Any = None, effort: int = 0, text: str = "") -> Answer:
    """Ask whether the assertions hold together.

    `timeout` is in seconds, `effort` in the solver's own steps, 0 for no limit; `text` is the question as SMT-LIB,
    where it is at hand.

    A question that Z3 does not answer with `PIECE` effort is asked for each value of `split`, a word of few bits, where
    its first assertion depends on that; then it goes to bitwuzla, and at last to Z3 without any limit but time.
    """
    facts = _facts(assertions)
    start = time.perf_counter()
    result, model, reason = _in_one_piece(facts, timeout, effort or PIECE)
    solver = "z3"
    if result == "unknown" and not effort:
        if split is not None and _depends(assertions[0], split):
            result, model, reason = _piece_by_piece(facts, split, timeout)
        if result == "unknown":
            result = second_opinion("bitwuzla", text or smtlib(facts), timeout)
            solver = "bitwuzla"
        if result != "unsat" and model is None:
            result, model, reason = _in_one_piece(facts, timeout, 0)
            solver = "z3"
    return Answer(result, time.perf_counter() - start, model, reason, solver)


def _facts(assertions: Sequence[Any]) -> list[Any]:
    """Return what is to hold as terms, without what plainly holds. Raises `TypeError` for what is no truth value."""
    facts = [z3.BoolVal(False) if a is False else a for a in assertions if a is not True]
    strange = [a for a in facts if not z3.is_bool(a)]
    if strange:
        raise TypeError(f"{strange[0]!r} is no truth value")
    return facts


def _in_one_piece(facts: Sequence[Any], timeout: float, effort: int) -> tuple[str, Any, str]:
    return _checked(_solver(facts, timeout, effort))


def _piece_by_piece(facts: Sequence[Any], split: Any, timeout: float) -> tuple[str, Any, str]:
    solver = _solver(facts, timeout, VALUE)
    for value in range(1 << split.size()):
        result, model, reason = _checked(solver, split == value)
        if result != "unsat":
            return result, model, reason
    return "unsat", None, ""


def _solver(facts: Sequence[Any], timeout: float, effort: int) -> Any:
    """Return a solver that holds facts of the main context."""
    solver = z3.Solver()
    solver.set("timeout", max(1, int(timeout * 1000)))
    solver.set("rlimit", effort)
    for fact in facts:
        # Solver.add looks at each term's sort first, which takes three times as long; there are ten thousand.
        z3.Z3_solver_assert(solver.ctx.ref(), solver.solver, fact.as_ast())
    return solver


def _checked(solver: Any, *literals: Any) -> tuple[str, Any, str]:
    try:
        result = solver.check(*literals)
    except z3.Z3Exception as error:
        return "unknown", None, str(error)
    if result == z3.sat:
        return "sat", solver.model(), ""
    return ("unsat", None, "") if result == z3.unsat else ("unknown", None, solver.reason_unknown())


def _depends(term: Any, constant: Any) -> bool:
    return isinstance(term, z3.ExprRef) and not z3.substitute(term, (constant, z3.BitVecVal(0, constant.size()))).eq(
        term
    )


@dataclass(slots=True)
class Feasibility:
    """Whether conditions can hold under assumptions that grow; answers are remembered, and `unknown` counts as yes.

    `effort` limits each question, in the solver's steps.  The last `models` states that were found are kept, and
    a condition that one of them meets is not asked about.
    """

    effort: int
    models: int = 0
    _solver: Any = field(default_factory=z3.Solver)
    _known: dict[int, tuple[Any, bool]] = field(default_factory=dict)
    _assumed: list[Any] = field(default_factory=list)
    _states: list[tuple[Any, int]] = field(default_factory=list)
    """States that were found, with the number of assumptions that each is known to meet."""

    def assume(self, condition: Any) -> None:
        """Add an assumption."""
        if condition is not True:
            self._solver.add(condition)
            self._assumed.append(condition)

    def state(self, condition: Any) -> Any:
        """Return a model of all that is assumed in which a condition holds, or None where none was found."""
        if condition is False:
            return None
        found = self._met(condition)
        if found is None and self._asked(condition) == z3.sat and self.models:
            found = self._states[-1][0]
        return found

    def _met(self, condition: Any) -> Any:
        """Return a state that was found that meets a condition and all that is assumed by now, or None."""
        kept, met = [], None
        for model, checked in self._states:
            if all(z3.is_true(model.eval(fact, model_completion=True)) for fact in self._assumed[checked:]):
                kept.append((model, len(self._assumed)))
                if met is None and (condition is True or z3.is_true(model.eval(condition, model_completion=True))):
                    met = model
        self._states = kept
        return met

    def __call__(self, condition: Any) -> bool:
        """Say whether a condition can hold."""
        if isinstance(condition, bool):
            return condition
        key = condition.get_id()
        if key not in self._known:
            self._known[key] = (condition, self._met(condition) is not None or self._asked(condition) != z3.unsat)
        return self._known[key][1]

    def _asked(self, condition: Any) -> Any:
        self._solver.set("rlimit", self.effort)
        answer = self._solver.check(*([] if condition is True else [condition]))
        if answer == z3.sat and self.models:
            self._states = [*self._states, (self._solver.model(), len(self._assumed))][-self.models :]
        return answer


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes questions as SMT-LIB 2 text, each the same on every run.

    How Z3 writes a term depends on what else its context holds, and held before.  A writer has a context of its own,
    from which nothing is ever removed, so that a text depends on the questions that it wrote, and on nothing else.
    """

    _context: Any = field(default_factory=z3.Context)
    _copies: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def __call__(self, assertions: Sequence[Any]) -> str:
        """Return the text of a question."""
        facts = [self._copy(fact) for fact in _facts(assertions)] or [z3.BoolVal(True, self._context)]
        others = (z3.Ast * (len(facts) - 1))(*(fact.as_ast() for fact in facts[:-1]))
        text = z3.Z3_benchmark_to_smtlib_string(
            self._context.ref(), "", "", "unknown", "", len(others), others, facts[-1].as_ast()
        )
        return f"(set-logic QF_UFBV)\n{text}"

    def _copy(self, fact: Any) -> Any:
        """Return a term in the writer's context. The original is kept too, so that its number stays its own."""
        key = fact.get_id()
        if key not in self._copies:
            self._copies[key] = fact, fact.translate(self._context)
        return self._copies[key][1]


def smtlib(assertions: Sequence[Any]) -> str:
    """Return one question as SMT-LIB 2 text."""
    return Writer()(assertions)


FAMILIES = ("z3", "bitwuzla", "cvc5")
"""Solvers that share no code."""


def second_opinion(name: str, text: str, timeout: float) -> str:
    """Ask a solver the same question from its text: `sat`, `unsat`, `unknown`, or why it could not be asked."""
    if name not in FAMILIES:
        raise ValueError(f"no solver called {name}; there are {', '.join(FAMILIES)}")
    try:
        return {"z3": _z3, "bitwuzla": _bitwuzla, "cvc5": _cvc5}[name](text, timeout)
    except MemoryError:
        raise
    except Exception as error:  # each solver has exceptions of its own
        return f"could not be asked: {' '.join(str(error).split())}"


def _z3(text: str, timeout: float) -> str:
    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set("timeout", max(1, int(timeout * 1000)))
    solver.add(z3.parse_smt2_string(text, ctx=context))
    return _checked(solver)[0]


def _bitwuzla(text: str, timeout: float) -> str:
    import bitwuzla

    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, max(1, int(timeout * 1000)))
    manager = bitwuzla.TermManager()
    parser = bitwuzla.Parser(manager, options)
    parser.parse(text.replace("(check-sat)", ""), True, False)
    result = parser.bitwuzla().check_sat()
    return {bitwuzla.Result.SAT: "sat", bitwuzla.Result.UNSAT: "unsat"}.get(result, "unknown")


def _cvc5(text: str, timeout: float) -> str:
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(max(1, int(timeout * 1000))))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text.replace("(check-sat)", ""), "query")
    symbols = parser.getSymbolManager()
    while True:
        command = parser.nextCommand()
        if command.isNull():
            break
        command.invoke(solver, symbols)
    result = solver.checkSat()
    return "sat" if result.isSat() else "unsat" if result.isUnsat() else "unknown"
