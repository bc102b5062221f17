"""The command line. Exit codes: 0 all proved, 1 something refuted, 2 wrong use or input, 3 none refuted but not all
proved.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from .commands import check, diff, listing, prove, race, review
from .commands.options import Wrong


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


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vgicheck")
def main() -> None:
    """A formal model of the KVM/ARM virtual GIC, and what a kernel patch does to it."""


for command in (review.review, prove.prove, check.check, diff.diff, race.race, listing.list_):
    main.add_command(command)
