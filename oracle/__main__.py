"""`python -m oracle [--operations N] [--seed S]`: a long campaign against QEMU, with progress and one line at the end.

Exit code: 0 nothing unexplained, 1 a difference, which is printed, 2 wrong use, or QEMU is missing or does not answer.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from random import SystemRandom

import click

from .campaign import KINDS, Kind, campaign, register_files
from .qtest import Qemu, QemuError


def _progress(kind: Kind, total: int) -> Callable[[int], None]:
    shown = [0.0]

    def tell(done: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (done >= total or now - shown[0] > 0.2):
            shown[0] = now
            click.echo(f"\r{kind.name}: {done:,} of {total:,} operations", err=True, nl=done >= total)

    return tell


@click.command()
@click.option(
    "--operations", type=click.IntRange(min=1), default=400_000, help="How many to compare, half of each kind."
)
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Of the random programs; one is chosen if none.")
@click.option("--stride", type=click.IntRange(min=1), default=1, help="Compare every so many of the register files.")
def oracle(operations: int, seed: int | None, stride: int) -> int:
    """Compare the model of the virtual interface with QEMU's."""
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    start, done = time.monotonic(), 0
    with Qemu() as qemu:
        for kind in KINDS:
            share = (operations + 1) // 2
            result = campaign(qemu, kind, share, seed, _progress(kind, share))
            done += result.operations
            if result.difference is not None:
                click.echo(f"a {kind.name} program, seed {seed}, differs\n{result.difference}")
                return 1
        files, told = register_files(qemu, stride)
    if told:
        click.echo(told)
        return 1
    seconds = time.monotonic() - start
    click.echo(
        f"{done:,} operations and {files:,} register files, seed {seed}: 0 unexplained differences in {seconds:.0f} s"
    )
    return 0


def main() -> int:
    """Run the command; whatever is wrong is one line."""
    try:
        return oracle.main(standalone_mode=False, prog_name="oracle") or 0
    except click.ClickException as error:
        click.echo(f"oracle: {' '.join(error.format_message().split())}", err=True)
    except click.Abort:
        return 130
    except QemuError as error:
        click.echo(f"oracle: {error}", err=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
