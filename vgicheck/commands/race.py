"""`vgicheck race`: arguments about what runs at the same time."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from model.generation import GENERATIONS
from properties.catalogue import SENTENCES

from ..engine.tasks import Task
from ..engine.verdict import Obligation, Run
from ..report import race as report
from ..report import text
from .options import SECONDS_A_TASK, Options, Wrong, common, known, runs_natively, write_all

if TYPE_CHECKING:
    from proofs.scenes import Extent

    from ..check.tree import Source

SMALL_NUMBER = click.IntRange(1, 8)
"""How many there may be of something in a machine of which every state is run."""


@click.command()
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT ...]")
@click.option("--between", nargs=2, metavar="FUNC FUNC", help="Ask what two functions break that run at the same time.")
@click.option("--source", metavar="SOURCE", help="Of this C, or of a patch, not of the model.")
@click.option("--native", is_flag=True, help="Of --source: replay refutations in compiled C too. This runs its code.")
@click.option("--property", "names", multiple=True, metavar="PROPERTY", help="Of --between: only these properties.")
@click.option("--generation", default="", help="Whose choices the model makes; by default what an argument is about.")
@click.option(
    "--vcpus",
    type=SMALL_NUMBER,
    help="One machine of this many vCPUs; of --source, machines of up to so many.",
)
@click.option("--cpus", type=SMALL_NUMBER, help="Physical CPUs of it; by default as many as vCPUs. Not of --source.")
@click.option("--irqs", type=SMALL_NUMBER, help="Level-triggered shared interrupts of it; of --source, up to so many.")
@click.option("--lrs", type=SMALL_NUMBER, help="List registers of it, or of the machines of --source.")
@click.option("--limit-states", type=click.IntRange(1), help="States of one machine, at the most.")
@click.option("--show-all", is_flag=True, help="Show every step that may break a conclusion, each once.")
@click.option("--litmus", metavar="DIR", help="Write the cores of arguments, or runs of --source, there for herd7.")
@click.option("--fix", "--fix?", "fix", is_flag=True, help="Ask which smallest change of switches mends a conclusion.")
@common
def race(
    arguments: Sequence[str],
    between: tuple[str, str] | None,
    source: str | None,
    native: bool,
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
        if options.solver == "two":
            raise Wrong("--solver two: no second engine runs C; leave it out with --source")
        if generation or fix or cpus:
            raise Wrong("--source takes no --generation, --fix or --cpus: of C each vCPU has a CPU of its own")
        if between and (litmus or show_all or vcpus or irqs):
            raise Wrong("--between lets two functions meet; ask it without --show-all, --litmus, --vcpus and --irqs")
        if vcpus == 1:
            raise Wrong("--vcpus 1: the arguments of --source have an interrupt that moves; give two or more")
        if (between and arguments) or (names and not between):
            raise Wrong("--between is a question of its own, and --property belongs to it; leave the arguments out")
        from proofs.scenes import Extent

        _race_source(
            source,
            arguments,
            between,
            names,
            limit_states,
            native,
            lrs,
            Extent(vcpus or 2, irqs or 1),
            show_all,
            litmus,
            options,
        )
    if native:
        raise Wrong("--native belongs to --source; the model is no C")
    from proofs import races, second
    from proofs.arguments import ARGUMENTS
    from proofs.overlap import FUNCTION
    from proofs.runs import LIMIT
    from proofs.whole import PROPERTY_IDS

    known("--generation", [generation] if generation else [], GENERATIONS, "generations")
    known("", arguments, ARGUMENTS, "arguments")
    known("--property", names, PROPERTY_IDS, "properties")
    known("--between", between or (), FUNCTION, "functions that race")
    if between and (arguments or show_all or fix or litmus):
        raise Wrong("--between is a question of its own; ask it without arguments, --show-all, --fix and --litmus")
    if names and not between:
        raise Wrong("--property belongs to --between; the arguments name their own")
    if options.solver == "two" and (why := second.missing()):
        raise Wrong(f"--solver two: {why}")
    given = (vcpus, cpus, irqs, lrs)
    sizes = () if given == (None,) * 4 else (races.sized(vcpus or 2, cpus or vcpus or 2, irqs or 1, lrs or 1),)
    chosen = [ARGUMENTS[name] for name in dict.fromkeys(arguments or ARGUMENTS)]
    if litmus is not None:
        texts = dict(races.litmus_tests(chosen))
        if not texts:
            raise Wrong(f"--litmus {litmus}: none of these arguments has a core of two CPUs; leave the arguments out")
        write_all("--litmus", litmus, texts)
    with options.runner() as runner:
        confirms = runner.portfolio if runner.portfolio.two else None
        scope = races.Scope(generation, sizes, limit_states or LIMIT, confirms)

        def run(tasks: Sequence[Task]) -> list[list[Obligation]]:
            return runner.run(tasks, SECONDS_A_TASK * options.timeout)

        if between:
            asked = tuple(dict.fromkeys(names)) or PROPERTY_IDS
            one, two = (FUNCTION[name] for name in between)
            found = [o for answer in run(races.between_tasks(one, two, asked, scope)) for o in answer]
            shown: list[report.Claim] = []
        else:
            answers = run(races.tasks(chosen, scope))
            shown = [_claim(*pair, scope) for pair in zip(chosen, answers, strict=True)]
            if fix:
                races.mend(run, list(zip(chosen, answers, strict=True)), scope, runner.portfolio)
            if show_all:
                for answer, causes in zip(answers, run(races.cause_tasks(chosen, scope)), strict=True):
                    answer += causes
            found = [o for answer in answers for o in answer]
    table = report.claims(shown, found) if shown else text.table(found, {}, methods=True)
    lines = (*table, *text.runs(found, races.ASKED | SENTENCES, {}), text.summary(found))
    options.answer("race", {"name": "model", "generation": generation or None}, found, lines)


def _race_source(
    source: str,
    arguments: Sequence[str],
    between: tuple[str, str] | None,
    names: Sequence[str],
    limit: int | None,
    native: bool,
    lrs: int | None,
    extent: Extent,
    show_all: bool,
    litmus: str | None,
    options: Options,
) -> NoReturn:
    """Judge arguments of a C source, or ask what two of its functions break that run at the same time."""
    from proofs import c_arguments, c_races, meetings, races
    from proofs.arguments import ARGUMENTS
    from proofs.overlap import FUNCTION
    from proofs.scenes import around

    from ..check.check import reading_of
    from ..check.tree import SourceError, find, no_function
    from ..engine.cache import digest_of

    runs_natively(native)
    known("", arguments, ARGUMENTS, "arguments")
    known("--property", names, meetings.IDS, "properties")
    known("--between", between or (), FUNCTION, "functions that race")
    if litmus is not None:
        write_all("--litmus", litmus, {})
    try:
        of_patch = _of_patch(source)
        found_source = of_patch or find(source)
        if len(found_source.paths) != 1:
            raise Wrong(f"{source}: a VGIC in several files is not run; give one in one file")
        (path,) = found_source.paths
        reading = reading_of(found_source, path, around())
        if not reading.places:
            raise no_function(found_source)
    except SourceError as error:
        raise Wrong(str(error)) from None
    assumed = (*meetings.ASSUMED, *([meetings.OF_A_PATCH] if of_patch else []))
    where = meetings.Source(reading, path, digest_of(reading.text), limit or meetings.LIMIT, assumed, native, lrs,
                            litmus is not None, extent)  # fmt: skip
    chosen = [ARGUMENTS[name] for name in dict.fromkeys(arguments or ARGUMENTS)]
    if between:
        one, two = (FUNCTION[name].name for name in between)
        if why := c_races.missing(reading, one, two):
            raise Wrong(f"{source}: {why}; name functions that it has")
        tasks = [c_races.between_task(where, one, two, tuple(dict.fromkeys(names)) or meetings.IDS)]
    else:
        tasks = [c_arguments.task(argument, where) for argument in chosen]
    with options.runner() as runner:
        answers = runner.run(tasks, SECONDS_A_TASK * options.timeout)
        if show_all:
            speaking = [n for n, argument in enumerate(chosen) if c_arguments.speaks_of(argument, where)]
            causes = [c_arguments.cause_task(chosen[n], where) for n in speaking]
            for n, more in zip(speaking, runner.run(causes, SECONDS_A_TASK * options.timeout), strict=True):
                answers[n] += more
    found = [o for answer in answers for o in answer]
    if between:
        asked: Mapping[str, str] = meetings.SENTENCES
        table = tuple(text.table(found, {}, methods=True))
    else:
        asked = races.ASKED | meetings.SENTENCES
        if litmus is not None:
            cores = [o for answer in answers for o in _with_cores(answer)]
            write_all("--litmus", litmus, {_file_of(o): o.core.text for o in cores if o.core and o.core.text})
        shown = [_claim_of_c(*pair, path) for pair in zip(chosen, answers, strict=True)]
        table = tuple(report.claims(shown, found))
    lines = (
        f"{source}: {path}",
        "",
        *table,
        *text.runs(found, asked, reading.lines),
        *text.assumed_by_all(found),
        "",
        text.summary(found),
    )
    options.answer("race", {"name": source, "files": [path]}, found, lines)


def _file_of(o: Obligation) -> str:
    """Return the name of the file for the core of a run."""
    return re.sub(r"[^\w.-]+", "-", f"{o.subject}.{o.property}.litmus")


def _with_cores(answer: Sequence[Obligation]) -> list[Obligation]:
    """Return those of an argument's obligations of which the core was asked for, of those with one run the first.

    What follows from a premise comes last.
    """
    from proofs.races import FOLLOWS

    first: dict[Run | None, Obligation] = {}
    for o in sorted(answer, key=lambda o: o.property == FOLLOWS):
        if o.core is not None:
            first.setdefault(o.run, o)
    return list(first.values())


def _written(answer: Sequence[Obligation]) -> Iterator[str]:
    """Say of each run of an argument of C where its core is, or why it has none."""
    for o in _with_cores(answer):
        assert o.core is not None
        yield f"{o.property}: {f'not written: {o.core.missing}' if o.core.missing else _file_of(o)}"


def _of_patch(source: str) -> Source | None:
    """Return the file that a patch shows parts of, with what stands for the rest; None where it is no patch."""
    from proofs.bindings import kvm_2012

    from ..review.patch import NoDiff, PatchError, load, read_patch
    from ..review.shown import source_of

    if source != "-" and (source.endswith((".c", ".h")) or not Path(source).is_file()):
        return None
    try:
        return source_of(read_patch(*load(source, sys.stdin.buffer)), source, kvm_2012.rest(), kvm_2012.stubs())
    except NoDiff as error:
        if source == "-":
            raise Wrong(str(error)) from None
        return None
    except PatchError as error:
        raise Wrong(str(error)) from None


def _claim_of_c(argument: Any, answer: Sequence[Obligation], path: str) -> report.Claim:
    """Say what came of an argument of a C source, by its path."""
    from proofs import meetings
    from proofs.arguments.in_c import IN_C

    in_c = IN_C.get(argument.id, argument)
    granted = [p.sentence for p in in_c.granted]
    return replace(
        _shown(argument, answer[:3], path, in_c.premise.sentence, granted, meetings.SENTENCES),
        written=tuple(_written(answer)),
    )


def _shown(
    argument: Any,
    answer: Sequence[Obligation],
    of: str,
    premise: str,
    granted: Sequence[str],
    sentences: Mapping[str, str],
    core: str = "",
) -> report.Claim:
    """Say what came of an argument, of which the verdicts on premise, following and conclusion stand first."""
    from proofs import races

    return report.Claim(
        argument.id,
        argument.words,
        argument.where,
        of,
        races.said(*(o.verdict for o in answer[:3])),
        argument.between,
        tuple(granted),
        core,
        {
            races.PREMISE: premise,
            races.FOLLOWS: f"with that, {argument.conclusion} holds",
            **{o.property: sentences[o.property] for o in answer[2:]},
        },
    )


def _claim(argument: Any, answer: Sequence[Obligation], scope: Any) -> report.Claim:
    """Say what came of an argument of the model."""
    from proofs import races

    of, granted = scope.generation or argument.generation, [p.sentence for p in argument.granted]
    return _shown(argument, answer, of, argument.premise.sentence, granted, SENTENCES, races.core(argument))
