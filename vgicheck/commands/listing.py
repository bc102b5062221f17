"""`vgicheck list`: what there is to ask about."""

from __future__ import annotations

import click

from model.generation import GENERATIONS
from proofs.claims import SUBJECTS
from properties.catalogue import SENTENCES


@click.command("list")
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
