"""The command line. Exit codes: 0 all proved, 1 something refuted, 2 wrong use or input, 3 none refuted but not all
proved.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from model.generation import GENERATIONS
from proofs.claims import SUBJECTS
from properties.catalogue import SENTENCES

from .engine.cache import Cache, directory
from .engine.portfolio import Portfolio
from .engine.results import Results, fingerprint
from .engine.tasks import Runner, Task
from .engine.verdict import Obligation, Verdict
from .report import diff as diff_text
from .report import machine, text
from .report import race as race_text
from .report.progress import Progress

PACKAGES = ("model", "properties", "proofs", "vgicheck")
"""Ours, whose text determines what is asked."""
DISTRIBUTIONS = ("z3-solver", "bitwuzla", "cvc5", "libclang", "tree-sitter", "tree-sitter-c", "unidiff", "numpy")
"""What else determines it, and the answers."""
SMALL_NUMBER = click.IntRange(1, 8)
"""How many there may be of something in a machine of which every state is run."""
SECONDS_A_TASK = 20
"""An obligation of the model may take so many times the limit of one question."""


class Wrong(click.ClickException):
    """Wrong use or input: one line on stderr, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Say it in one line."""
        click.echo(f"vgicheck: {self.format_message()}", err=True)


class Interrupted(Exception):
    """The user wants no answer any more. (Of KeyboardInterrupt click makes an empty line first.)"""


class OneLine(click.Group):
    """A group whose every complaint is one line."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that was given."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise Interrupted from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; wrong use and a reader that went away end it without a traceback."""
        kwargs["standalone_mode"] = False
        try:
            sys.exit(super().main(*args, **kwargs) or 0)
        except Wrong as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            click.echo(f"vgicheck: {' '.join(error.format_message().split())}; see vgicheck --help", err=True)
            sys.exit(2)
        except (click.Abort, Interrupted, KeyboardInterrupt):
            click.echo("vgicheck: interrupted", err=True)
            sys.exit(130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)


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
            _write(self.json_file, "")
        _keep(self.keep, ())
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


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vgicheck")
def main() -> None:
    """A formal model of the KVM/ARM virtual GIC, and what a kernel patch does to it."""


@main.command()
@click.argument("patch", metavar="PATCH")
@click.option("--native", is_flag=True, help="Replay refutations in compiled C as well. This runs code of the patch.")
@common
def review(patch: str, native: bool, options: Options) -> None:
    """Judge a mailed patch: a Patchwork page, an mbox, a `git format-patch` file or a diff; - for standard input."""
    # The reading of C takes longer to load than all else together, and no other command needs it.
    from proofs.generations import october_2012

    from .c import native as native_runs
    from .review.native import confirm
    from .review.patch import PatchError, load, read_patch
    from .review.review import review as review_patch

    if native and (reason := native_runs.available()) is not None:
        raise Wrong(f"--native: {reason}")
    try:
        data, name = load(patch, sys.stdin.buffer)
        parsed = read_patch(data, name)
        generation = october_2012()
        with options.runner() as runner:
            found = review_patch(parsed, generation, runner)
    except PatchError as error:
        raise Wrong(str(error)) from None
    if native:
        found = confirm(found, generation)
    _keep(options.keep, found.obligations)
    if options.json_file != "-":
        _print_review(found)
    if options.json_file:
        functions = [
            {"name": f.name, "change": f.change, "differs_when": None, "example": None, "note": f.note,
             "location": machine.location(f.location)}
            for f in found.functions
        ]  # fmt: skip
        source = {"name": name, "form": parsed.form, "subject": parsed.subject, "generation": found.generation}
        _write_json(options.json_file, "review", source, found.obligations, functions=functions)
    sys.exit(exit_code(found.obligations))


@main.command()
@click.argument("source", metavar="SOURCE")
@click.argument("properties", nargs=-1, metavar="[PROPERTY ...]")
@common
def check(source: str, properties: Sequence[str], options: Options) -> None:
    """Judge a C implementation: a file, a directory with vgic.c, a kernel tree, or a revision of one, TREE@REV."""
    from .check import check as checks
    from .check.tree import SourceError, find

    for name in properties:
        if name not in checks.IDS:
            known = name in SENTENCES
            why = "it is not judged of whole files" if known else "no property has this id"
            raise Wrong(f"{name}: {why}; there are {', '.join(checks.IDS)}")
    try:
        with options.runner() as runner:
            found = checks.check(find(source), properties, runner)
    except SourceError as error:
        raise Wrong(str(error)) from None
    if not found.obligations:
        raise Wrong(f"{source}: nothing to judge of {', '.join(properties)}; leave the properties out")
    _keep(options.keep, found.obligations)
    if options.json_file != "-":
        _print_check(found)
    if options.json_file:
        functions = [{"name": f.name, "location": machine.location(f.location)} for f in found.functions]
        described = {"name": source, "files": list(found.source.paths)}
        _write_json(options.json_file, "check", described, found.obligations, functions=functions)
    sys.exit(exit_code(found.obligations))


@main.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--function", default="", metavar="NAME", help="Compare this function alone.")
@common
def diff(old: str, new: str, function: str, options: Options) -> None:
    """Compare two C implementations, each a SOURCE as `check` takes it, by what their functions do."""
    from .check.tree import SourceError, find
    from .diff.diff import compare

    try:
        with options.runner() as runner:
            found = compare(find(old), find(new), runner, function)
    except SourceError as error:
        raise Wrong(str(error)) from None
    _keep(options.keep, found.obligations)
    if options.json_file != "-":
        _print_diff(found)
    if options.json_file:
        functions = [
            {"name": f.name, "change": f.change, "was": f.was or None, "differs_when": f.differs_when or None,
             "example": None if f.example is None else asdict(f.example), "note": f.note,
             "old": machine.location(f.old), "location": machine.location(f.new)}
            for f in found.functions
        ]  # fmt: skip
        described = {"name": new, "files": list(found.new.paths), "old": old, "old_files": list(found.old.paths)}
        _write_json(options.json_file, "diff", described, found.obligations, functions=functions)
    sys.exit(exit_code(found.obligations))


def _print_diff(found: Any) -> None:
    from .diff.pair import ASKED

    click.echo(f"{found.old.name} -> {found.new.name}")
    click.echo()
    left = sorted((o for o in found.obligations if o.reason), key=lambda o: o.verdict is Verdict.REFUTED)
    reasons = {o.subject: o.reason for o in left}
    rows = [
        (f.name, f.change, str(f.new or f.old),
         ", ".join(n for n in (f.was and f"was {f.was}()", f.note, reasons.get(f.name, "")) if n))
        for f in found.functions
    ]  # fmt: skip
    for line in (*diff_text.changes(rows), *diff_text.differences(found.obligations, ASKED, found.lines)):
        click.echo(line)
    for line in text.assumed_by_all(found.obligations):
        click.echo(line)
    click.echo(text.summary(found.obligations))


def _print_check(found: Any) -> None:
    click.echo(f"{found.source.name}: {', '.join(found.source.paths)}")
    click.echo()
    places = {f.name: str(f.location) for f in found.functions}
    for line in text.table(found.obligations, places):
        click.echo(line)
    for line in text.runs(found.obligations, SENTENCES, found.lines):
        click.echo(line)
    for line in text.assumed_by_all(found.obligations):
        click.echo(line)
    click.echo()
    click.echo(text.summary(found.obligations))


def _print_review(found: Any) -> None:
    patch = found.patch
    click.echo(f"{patch.subject or '(no subject)'}")
    click.echo(f"read as {patch.form}, judged against generation {found.generation}")
    click.echo()
    places = {f.name: str(f.location) for f in found.functions}
    for line in text.table(found.obligations, places):
        click.echo(line)
    read = [f for f in found.functions if f.note and not any(o.subject == f.name for o in found.obligations)]
    for f in read:
        click.echo(f"{f.name}()  {f.location}: {f.note}")
    if read:
        click.echo()
    for line in text.runs(found.obligations, SENTENCES, found.lines):
        click.echo(line)
    for line in text.assumptions(found.obligations):
        click.echo(line)
    click.echo()
    click.echo(text.summary(found.obligations))


@main.command()
@click.argument("properties", nargs=-1, metavar="[PROPERTY ...]")
@click.option(
    "--generation", default="reference", help="Whose choices the model makes; see `vgicheck list generations`."
)
@common
def prove(properties: Sequence[str], generation: str, options: Options) -> None:
    """Prove the model's own obligations."""
    from proofs import model as model_proofs
    from proofs import whole

    if generation not in GENERATIONS:
        raise Wrong(f"--generation {generation}: there is no such generation; there are {', '.join(GENERATIONS)}")
    for name in properties:
        if name not in (*model_proofs.IDS, *whole.IDS):
            raise Wrong(f"{name}: no property of the model has this id; see `vgicheck list properties`")
    with options.runner() as runner:
        left = list(model_proofs.tasks(properties, generation, runner.portfolio))
        found: list[Obligation] = []

        def run(tasks: Sequence[Task]) -> list[Obligation]:
            # What is left goes with the first tasks of the machine, so that no process waits for the last of it.
            answers = runner.run([*left, *tasks], SECONDS_A_TASK * options.timeout)
            found.extend(o for answer in answers[: len(left)] for o in answer)
            answers = answers[len(left) :]
            left.clear()
            return [o for answer in answers for o in answer]

        if not properties or any(name in whole.IDS for name in properties):
            found += whole.obligations(run, generation, runner.portfolio, properties)
        else:
            run(())
    _keep(options.keep, found)
    if options.json_file != "-":
        click.echo(f"model, generation {generation}")
        click.echo()
        for line in (*text.table(found, {}, methods=True), *text.runs(found, SENTENCES, {}), *text.assumptions(found)):
            click.echo(line)
        click.echo()
        click.echo(text.summary(found))
    if options.json_file:
        _write_json(options.json_file, "prove", {"name": "model", "generation": generation}, found)
    sys.exit(exit_code(found))


@main.command()
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT ...]")
@click.option("--between", nargs=2, metavar="FUNC FUNC", help="Ask what two functions break that run at the same time.")
@click.option("--source", metavar="SOURCE", help="Of --between: ask it of this C, as `vgicheck check` reads it.")
@click.option("--property", "names", multiple=True, metavar="PROPERTY", help="Of --between: only these properties.")
@click.option("--generation", default="", help="Whose choices the model makes; by default what an argument is about.")
@click.option("--vcpus", type=SMALL_NUMBER, help="One machine of this many vCPUs, instead of several small ones.")
@click.option("--cpus", type=SMALL_NUMBER, help="Physical CPUs of it; by default as many as vCPUs.")
@click.option("--irqs", type=SMALL_NUMBER, help="Level-triggered shared interrupts of it.")
@click.option("--lrs", type=SMALL_NUMBER, help="List registers of it.")
@click.option("--limit-states", type=click.IntRange(1), help="States of one machine, at the most.")
@click.option("--show-all", is_flag=True, help="Show every step that may break a conclusion, each once.")
@click.option("--litmus", metavar="DIR", help="Write the two-CPU cores of arguments there, for herd7.")
@click.option("--fix", "--fix?", "fix", is_flag=True, help="Ask which smallest change of switches mends a conclusion.")
@common
def race(
    arguments: Sequence[str],
    between: tuple[str, str] | None,
    source: str | None,
    names: Sequence[str],
    generation: str,
    vcpus: int | None,
    cpus: int | None,
    irqs: int | None,
    lrs: int | None,
    limit_states: int | None,
    show_all: bool,
    litmus: str | None,
    fix: bool,
    options: Options,
) -> None:
    """Judge the arguments why code that runs at the same time does no harm: all of them, or those named."""
    if source is not None:
        if arguments or generation or show_all or fix or litmus or (vcpus, cpus, irqs, lrs) != (None,) * 4:
            raise Wrong("--source is asked with --between, --property and --limit-states only; leave the rest out")
        _race_source(source, between, names, limit_states, options)
    from proofs import races
    from proofs.arguments import ARGUMENTS
    from proofs.overlap import FUNCTION
    from proofs.runs import LIMIT
    from proofs.whole import PROPERTY_IDS

    _known("--generation", [generation] if generation else [], GENERATIONS, "generations")
    _known("", arguments, ARGUMENTS, "arguments")
    _known("--property", names, PROPERTY_IDS, "properties")
    _known("--between", between or (), FUNCTION, "functions that race")
    if between and (arguments or show_all or fix or litmus):
        raise Wrong("--between is a question of its own; ask it without arguments, --show-all, --fix and --litmus")
    if names and not between:
        raise Wrong("--property belongs to --between; the arguments name their own")
    given = (vcpus, cpus, irqs, lrs)
    sizes = () if given == (None,) * 4 else (races.sized(vcpus or 2, cpus or vcpus or 2, irqs or 1, lrs or 1),)
    scope = races.Scope(generation, sizes, limit_states or LIMIT)
    chosen = [ARGUMENTS[name] for name in dict.fromkeys(arguments or ARGUMENTS)]
    if litmus is not None:
        _litmus(litmus, dict(races.litmus_tests(chosen)))
    with options.runner() as runner:

        def run(tasks: Sequence[Task]) -> list[list[Obligation]]:
            return runner.run(tasks, SECONDS_A_TASK * options.timeout)

        if between:
            asked = tuple(dict.fromkeys(names)) or PROPERTY_IDS
            one, two = (FUNCTION[name] for name in between)
            found = [o for answer in run(races.between_tasks(one, two, asked, scope)) for o in answer]
            shown: list[race_text.Claim] = []
        else:
            answers = run(races.tasks(chosen, scope))
            shown = [_claim(*pair, scope) for pair in zip(chosen, answers, strict=True)]
            if fix:
                races.mend(run, list(zip(chosen, answers, strict=True)), scope, runner.portfolio)
            if show_all:
                for answer, causes in zip(answers, run(races.cause_tasks(chosen, scope)), strict=True):
                    answer += causes
            found = [o for answer in answers for o in answer]
    if options.json_file != "-":
        table = race_text.claims(shown, found) if shown else text.table(found, {}, methods=True)
        for line in (*table, *text.runs(found, races.ASKED | SENTENCES, {})):
            click.echo(line)
        click.echo(text.summary(found))
    if options.json_file:
        _write_json(options.json_file, "race", {"name": "model", "generation": generation or None}, found)
    sys.exit(exit_code(found))


def _race_source(
    source: str, between: tuple[str, str] | None, names: Sequence[str], limit: int | None, options: Options
) -> NoReturn:
    """Ask of a C source what two of its functions break that run at the same time."""
    from proofs import c_races
    from proofs.overlap import FUNCTION

    from .check.check import reading_of
    from .check.tree import SourceError, find
    from .engine.cache import digest_of

    if between is None:
        raise Wrong("--source needs two functions; name them with --between FUNC FUNC")
    _known("--property", names, c_races.IDS, "properties")
    _known("--between", between, FUNCTION, "functions that race")
    one, two = (FUNCTION[name].name for name in between)
    try:
        found_source = find(source)
        if len(found_source.paths) != 1:
            raise Wrong(f"{source}: a VGIC in several files is not run; give one in one file")
        (path,) = found_source.paths
        reading = reading_of(found_source, path)
    except SourceError as error:
        raise Wrong(str(error)) from None
    if why := c_races.missing(reading, one, two):
        raise Wrong(f"{source}: {why}; name functions that it has")
    asked = tuple(dict.fromkeys(names)) or c_races.IDS
    with options.runner() as runner:
        text_of = digest_of(reading.text)
        task = c_races.between_task(reading, path, text_of, one, two, asked, limit or c_races.LIMIT)
        (found,) = runner.run([task], SECONDS_A_TASK * options.timeout)
    if options.json_file != "-":
        click.echo(f"{source}: {path}\n")
        for line in (*text.table(found, {}, methods=True), *text.runs(found, c_races.SENTENCES, reading.lines)):
            click.echo(line)
        for line in text.assumed_by_all(found):
            click.echo(line)
        click.echo(f"\n{text.summary(found)}")
    if options.json_file:
        _write_json(options.json_file, "race", {"name": source, "files": [path]}, found)
    sys.exit(exit_code(found))


def _claim(argument: Any, answer: Sequence[Obligation], scope: Any) -> race_text.Claim:
    """Say what came of an argument, of which the verdicts on premise, following and conclusion stand in this order."""
    from proofs import races

    premise, follows, conclusion, *_ = answer
    return race_text.Claim(
        argument.id,
        argument.words,
        argument.where,
        scope.generation or argument.generation,
        races.said(premise.verdict, follows.verdict, conclusion.verdict),
        argument.between,
        tuple(p.sentence for p in argument.granted),
        races.core(argument),
        {
            races.PREMISE: argument.premise.sentence,
            races.FOLLOWS: f"with that, {argument.conclusion} holds",
            **{o.property: SENTENCES[o.property] for o in answer[2:]},
        },
    )


def _litmus(directory: str, texts: Mapping[str, str]) -> None:
    """Write litmus tests by the names of their files."""
    if not texts:
        raise Wrong(f"--litmus {directory}: none of these arguments has a core of two CPUs; leave the arguments out")
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        for name, content in texts.items():
            (Path(directory) / name).write_text(content)
    except OSError as error:
        raise Wrong(f"--litmus {directory}: {error.strerror}; give a directory that can be written") from None


def _known(option: str, names: Sequence[str], known: Container[str], what: str) -> None:
    """Raise `Wrong` for a name that is not known."""
    for name in names:
        if name not in known:
            raise Wrong(f"{f'{option} {name}'.strip()}: there is none of this name; see `vgicheck list {what}`")


@main.command("list")
@click.argument("what", type=click.Choice(["properties", "arguments", "generations", "functions"]))
def list_(what: str) -> None:
    """List what there is to ask about."""
    if what == "properties":
        for name, sentence in SENTENCES.items():
            click.echo(f"{name:<28} {sentence}")
    elif what == "generations":
        for name, switches in GENERATIONS.items():
            on = [f for f in switches.__slots__ if getattr(switches, f)]
            click.echo(f"{name:<12} {', '.join(on) if on else 'every switch off'}")
    elif what == "functions":
        from proofs.overlap import FUNCTION

        for name, subject in SUBJECTS.items():
            click.echo(f"{name:<34} {subject}")
        for name, function in FUNCTION.items():
            click.echo(f"{name:<34} races: {', '.join(function.steps)}")
    else:
        from proofs.arguments import ARGUMENTS

        for name, argument in ARGUMENTS.items():
            click.echo(f"{name:<22} {argument.words}")


def exit_code(obligations: Sequence[Obligation]) -> int:
    """Return 0 when all are proved, 1 when one is refuted, 3 otherwise."""
    verdicts = {o.verdict for o in obligations}
    if Verdict.REFUTED in verdicts:
        return 1
    return 0 if verdicts == {Verdict.PROVED} else 3


def _write_json(
    file: str, command: str, source: dict[str, Any], obligations: Sequence[Obligation], **more: Any
) -> None:
    document = machine.document(command, source, obligations, timed=file != "-", **more)
    if file == "-":
        click.echo(document, nl=False)
        return
    _write(file, document)


def _write(file: str, content: str) -> None:
    try:
        Path(file).write_text(content)
    except OSError as error:
        raise Wrong(f"--json {file}: {error.strerror}; give a file that can be written") from None


def _keep(directory: str | None, obligations: Sequence[Obligation]) -> None:
    """Write each question under the obligation's id, with its answer beside it."""
    if directory is None:
        return
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        for o in obligations:
            folder = Path(directory) / o.subject / o.property
            folder.mkdir(parents=True, exist_ok=True)
            for query in o.queries:
                (folder / f"{query.name}.smt2").write_text(query.smtlib)
                (folder / f"{query.name}.answer").write_text(f"{query.answer}\n")
    except OSError as error:
        raise Wrong(f"--keep {directory}: {error.strerror}; give a directory that can be written") from None
