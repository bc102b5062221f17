"""`python -m conformance [--programs N] [--seed S] [--kind KIND]`: random programs, with progress and what differs.

The last line says how many agree; the lines before it, how many of each kind were refused and why.  Exit code: 0 no
difference, 1 a difference, which is printed with its program, 2 wrong use, or gcc or csmith is missing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from random import SystemRandom

import click

from vgicheck.c import native

from . import csmith
from .campaign import KINDS, Tally, campaign

KIND = {kind.name: kind for kind in KINDS}


class MissingError(Exception):
    """Something is not installed; the message is one line."""


def _progress(kind: str, total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{kind}: {done:,} of {total:,} programs", err=True, nl=done >= total)

    return tell


def _told(kind: str, tally: Tally, seconds: float) -> str:
    lines = [f"  refused: {count:,} for {what}" for what, count in tally.refused.most_common()]
    lines += [f"  no formula: {count:,} for {what}" for what, count in tally.unsummarised.most_common()]
    undefined = f", {tally.undefined:,} of them undefined" if tally.undefined else ""
    lines.append(
        f"{kind}: {tally.programs:,} programs, {tally.as_numbers:,} agree on {tally.runs:,} runs{undefined}, "
        f"{tally.as_formulas:,} as formulas too, {len(tally.differences):,} differences in {seconds:.0f} s"
    )
    return "\n".join(lines)


@click.command()
@click.option("--programs", type=click.IntRange(min=1), default=1_200, help="How many of each kind.")
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Of the programs; one is chosen if none.")
@click.option("--kind", "kinds", type=click.Choice(list(KIND)), multiple=True, help="Of programs; all if none.")
def conformance(programs: int, seed: int | None, kinds: tuple[str, ...]) -> int:
    """Compare the evaluator of C with compiled code on random programs."""
    kinds = kinds or tuple(KIND)
    for reason in (native.available(), csmith.available() if set(kinds) != {"kernel"} else None):
        if reason is not None:
            raise MissingError(reason)
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    differs = False
    for kind in kinds:
        start = time.monotonic()
        tally = campaign(KIND[kind], programs, seed, _progress(kind, programs))
        for difference in tally.differences:
            click.echo(f"a {kind} program, seed {seed}, differs {difference}")
        click.echo(f"seed {seed}\n{_told(kind, tally, time.monotonic() - start)}")
        differs = differs or bool(tally.differences)
    return int(differs)


def main() -> int:
    """Run the command; whatever is wrong is one line."""
    try:
        return conformance.main(standalone_mode=False, prog_name="conformance") or 0
    except click.ClickException as error:
        click.echo(f"conformance: {' '.join(error.format_message().split())}", err=True)
    except click.Abort:
        return 130
    except (MissingError, csmith.CsmithError) as error:
        click.echo(f"conformance: {error}", err=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
