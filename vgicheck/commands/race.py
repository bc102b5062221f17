"""`vgicheck race`: arguments about what runs at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import click

from model.generation import GENERATIONS
from properties.catalogue import SENTENCES

from ..engine.tasks import Task
from ..engine.verdict import Obligation
from ..report import race as report
from ..report import text
from .options import SECONDS_A_TASK, Options, Wrong, common, known, write_all

SMALL_NUMBER = click.IntRange(1, 8)
"""How many there may be of something in a machine of which every state is run."""


@click.command()
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
        if options.solver == "two":
            raise Wrong("--solver two: no second engine runs C; leave it out with --source")
        if arguments or generation or show_all or fix or litmus or (vcpus, cpus, irqs, lrs) != (None,) * 4:
            raise Wrong("--source is asked with --between, --property and --limit-states only; leave the rest out")
        _race_source(source, between, names, limit_states, options)
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
    source: str, between: tuple[str, str] | None, names: Sequence[str], limit: int | None, options: Options
) -> NoReturn:
    """Ask of a C source what two of its functions break that run at the same time."""
    from proofs import c_races
    from proofs.overlap import FUNCTION

    from ..check.check import reading_of
    from ..check.tree import SourceError, find
    from ..engine.cache import digest_of

    if between is None:
        raise Wrong("--source needs two functions; name them with --between FUNC FUNC")
    known("--property", names, c_races.IDS, "properties")
    known("--between", between, FUNCTION, "functions that race")
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
    lines = (
        f"{source}: {path}",
        "",
        *text.table(found, {}, methods=True),
        *text.runs(found, c_races.SENTENCES, reading.lines),
        *text.assumed_by_all(found),
        "",
        text.summary(found),
    )
    options.answer("race", {"name": source, "files": [path]}, found, lines)


def _claim(argument: Any, answer: Sequence[Obligation], scope: Any) -> report.Claim:
    """Say what came of an argument, of which the verdicts on premise, following and conclusion stand in this order."""
    from proofs import races

    premise, follows, conclusion, *_ = answer
    return report.Claim(
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
