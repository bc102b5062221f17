"""`vgicheck prove`: the model's own obligations."""

from __future__ import annotations

from collections.abc import Sequence

import click

from model.generation import GENERATIONS
from properties.catalogue import SENTENCES

from ..engine.tasks import Task
from ..engine.verdict import Obligation
from ..report import text
from .options import SECONDS_A_TASK, Options, Wrong, common


@click.command()
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
    lines = (
        f"model, generation {generation}",
        "",
        *text.table(found, {}, methods=True),
        *text.runs(found, SENTENCES, {}),
        *text.assumptions(found),
        "",
        text.summary(found),
    )
    options.answer("prove", {"name": "model", "generation": generation}, found, lines)
