"""What commands share: how they are asked, how they complain, and how they answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from ..engine.cache import Cache, directory
from ..engine.portfolio import Portfolio
from ..engine.results import Results, fingerprint
from ..engine.tasks import Runner
from ..engine.verdict import Obligation, Verdict
from ..report import machine
from ..report.progress import Progress

PACKAGES = ("model", "properties", "proofs", "vgicheck")
"""Ours, whose text determines what is asked."""
DISTRIBUTIONS = ("z3-solver", "bitwuzla", "cvc5", "libclang", "tree-sitter", "tree-sitter-c", "unidiff", "numpy")
"""What else determines it, and the answers."""
SECONDS_A_TASK = 20
"""An obligation of the model may take so many times the limit of one question."""


class Wrong(click.ClickException):
    """Wrong use or input: one line on stderr, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Say it in one line."""
        click.echo(f"vgicheck: {self.format_message()}", err=True)


def known(option: str, names: Sequence[str], there_are: Container[str], what: str) -> None:
    """Raise `Wrong` for a name that is not known."""
    for name in names:
        if name not in there_are:
            raise Wrong(f"{f'{option} {name}'.strip()}: there is none of this name; see `vgicheck list {what}`")


def runs_natively(native: bool) -> None:
    """Raise `Wrong` where compiled C is wanted and cannot be run here."""
    if not native:
        return
    from ..c.native import available

    if (reason := available()) is not None:
        raise Wrong(f"--native: {reason}")


def seconds(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Read a time such as 30s, 500ms or 2m."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0}
    unit = next((u for u in units if value.endswith(u)), "")
    try:
        number = float(value.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError:
        number = 0.0
    if not 0 < number <= 86_400:
        raise Wrong(f"--timeout {value}: not a time; write for example 30s")
    return number


@dataclass(frozen=True, slots=True)
class Options:
    """What judging commands share; `timeout` is in seconds."""

    json_file: str | None
    keep: str | None
    timeout: float
    solver: str
    no_cache: bool
    jobs: int

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        """Yield what judges, with its progress on a terminal. Where to write is tried before anything is judged."""
        if self.json_file and self.json_file != "-":
            write("--json", Path(self.json_file), "")
        keep(self.keep, ())
        cache = None if self.no_cache else Cache(directory())
        results = None if cache is None else Results(cache, fingerprint(PACKAGES, DISTRIBUTIONS))
        portfolio = Portfolio(self.timeout, self.solver == "two", cache, self.keep is not None)
        progress = Progress(sys.stderr)
        if cache is not None:
            cache.sweep()
        try:
            yield Runner(portfolio, self.jobs, results, progress)
        finally:
            progress.end()
        if cache is not None and cache.trouble:
            progress.say(f"vgicheck: nothing is kept for the next run: {cache.trouble}")

    def answer(
        self,
        command: str,
        source: Mapping[str, Any],
        found: Sequence[Obligation],
        lines: Iterable[str],
        functions: Sequence[Mapping[str, Any]] | None = None,
    ) -> NoReturn:
        """Print what was found, as text or as JSON, keep its questions where that was asked for, and exit."""
        keep(self.keep, found)
        if self.json_file != "-":
            for line in lines:
                click.echo(line)
        if self.json_file:
            more = {} if functions is None else {"functions": functions}
            document = machine.document(command, dict(source), found, timed=self.json_file != "-", **more)
            if self.json_file == "-":
                click.echo(document, nl=False)
            else:
                write("--json", Path(self.json_file), document)
        sys.exit(exit_code(found))


def common(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that judging commands share, and hand them over as `options`."""

    @wraps(function)
    def command(**given: Any) -> None:
        options = Options(**{f.name: given.pop(f.name) for f in fields(Options)})
        function(options=options, **given)

    for option in (
        click.option("--json", "json_file", metavar="FILE", help="Write the verdicts as JSON; - for standard output."),
        click.option("--keep", metavar="DIR", help="Leave every question to the solver there, with its answer."),
        click.option("--timeout", default="30s", callback=seconds, help="Limit for one question to the solver."),
        click.option(
            "--solver",
            default="any",
            type=click.Choice(["any", "two"]),
            help="Who must answer a question of a proof: any solver, or two of different families that say the same.",
        ),
        click.option("--no-cache", is_flag=True, help="Neither use nor keep answers of other runs."),
        click.option("--jobs", default=os.cpu_count() or 1, type=click.IntRange(1, 256), help="Processes at once."),
    ):
        command = option(command)
    return command


def exit_code(obligations: Sequence[Obligation]) -> int:
    """Return 0 when all are proved, 1 when one is refuted, 3 otherwise."""
    verdicts = {o.verdict for o in obligations}
    if Verdict.REFUTED in verdicts:
        return 1
    return 0 if verdicts == {Verdict.PROVED} else 3


def write(option: str, file: Path, content: str) -> None:
    """Write a file that an option names. Raises `Wrong` where it cannot be written."""
    try:
        file.write_text(content)
    except OSError as error:
        raise Wrong(f"{option} {file}: {error.strerror}; give a file that can be written") from None


def write_all(option: str, folder: str, contents: Mapping[str, str]) -> None:
    """Write files below a directory that an option names. Raises `Wrong` where they cannot be written."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
    except OSError as error:
        raise Wrong(f"{option} {folder}: {error.strerror}; give a directory that can be written") from None


def keep(folder: str | None, obligations: Sequence[Obligation]) -> None:
    """Write each question under the obligation's id, with its answer beside it."""
    if folder is not None:
        questions = {
            f"{o.subject}/{o.property}/{query.name}.{kind}": content
            for o in obligations
            for query in o.queries
            for kind, content in (("smt2", query.smtlib), ("answer", f"{query.answer}\n"))
        }
        write_all("--keep", folder, questions)
