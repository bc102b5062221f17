"""`python -m bench [--mutation] [--mutants N] [TABLE]`: measure, print tables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from . import cbmc, check, curves, explorer, growth, measure, native, speed


def table(title: str, rows: Iterable[measure.Row]) -> None:
    """Print rows as they come, under a title."""
    print(f"\n{title}", flush=True)
    for name, value in rows:
        print(f"  {name:<40} {value}", flush=True)


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure what the figures in the notes say.")
    parser.add_argument("--mutation", action="store_true", help="run the mutation campaigns as well, which takes long")
    parser.add_argument("--mutants", type=int, default=60, help="how many mutants of each module or function")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once, for the campaigns")
    parser.add_argument(
        "only",
        nargs="?",
        choices=["mutation", "explorer", "races", "curves", "speed", "check", "native", "cbmc"],
        help="measure this alone",
    )
    options = parser.parse_args()
    table("machine", measure.machine())
    if options.only is None:
        review()
    if options.mutation or options.only == "mutation":
        table("mutation", measure.mutation(options.jobs, options.mutants))
    if options.only in (None, "cbmc"):
        table(
            "the same property of the same C by CBMC", cbmc.comparison(cbmc.questions(measure.subject(), check.EXAMPLE))
        )
    if options.only in (None, "speed"):
        table("whole commands, cold and warm", speed.commands(measure.subject()))
    if options.only in (None, "check"):
        table("a whole vgic.c, by function", check.by_function())
    if options.only in (None, "native"):
        table("bound functions in compiled C, from random states", native.rates())
    if options.only in (None, "curves"):
        table("the machine's induction, by size", curves.curves())
    if options.only in (None, "explorer"):
        table("the explorer, every state of the race machine", explorer.exhaustive())
    if options.only in (None, "explorer", "races"):
        table("the explorer, the first shortest run to a lost interrupt", explorer.hunts())
    if options.only in (None, "races"):
        table("races, as vCPUs, interrupts and list registers grow", growth.growth())


def review() -> None:
    """Measure what a review does, and how well its parts are tested."""
    patch = measure.subject()
    table("a whole review, cold, median of 3", measure.whole_review(patch))
    table("the handler's functional proof, 64 list registers", measure.handler_proof(patch))
    table("eoi-clears-active encoded directly, 1,024 interrupts, 64 list registers", measure.direct_proof())
    table("the evaluator's summaries, 1,024 interrupts", measure.summaries(patch))


main()
