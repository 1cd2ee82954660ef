"""`manage.py label_efficiency`: how many answers each strategy needs for what random sampling reaches."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.pixels.errors import ImageError
from labeling.services.studies import study_named
from training.learning.efficiency.plan import RANDOM, EfficiencyPlan
from training.learning.efficiency.table import as_text
from training.learning.ranking import RankingSettings
from training.learning.simulation import SimulatedAnnotator
from training.worker.efficiency import compare_strategies, write_files
from training.worker.efficiency_manifest import Labelled, Reading, manifest_pool
from training.worker.efficiency_study import study_pool

# On the class boundary nearly everybody is unsure.
NOT_SURE_RATE = 0.9


class Command(JsonCommand):
    """Replay labelling with each strategy, on the same folds and seeds, and compare with random."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--manifest", type=Path, help="manifest.csv with labels")
        source.add_argument("--study", help="name or number of a study with a random or complete part answered")
        parser.add_argument("--task", default="", help="which question, where there are several")
        parser.add_argument("--strategies", default="", help="separated by commas; random and the default are in")
        parser.add_argument("--seeds", type=int, default=10)
        parser.add_argument("--budget", type=int, default=200, help="queries per curve")
        parser.add_argument("--step", type=int, default=10, help="queries between two points of a curve")
        parser.add_argument("--jobs", type=int, default=2, help="processes, at most one per CPU")
        parser.add_argument("--annotator", choices=("truth", "not-sure"), default="truth", help="who answers")
        parser.add_argument("--error-rate", type=float, default=0.0, help="share of wrong answers, simulated")
        parser.add_argument("--soft-not-sure", action="store_true", help='also the default with soft "not sure"')
        parser.add_argument("--hedge", action="store_true", help="also the default without each part of its hedge")
        parser.add_argument("--drop-channel", action="append", default=[], metavar="NAME", help="may be repeated")
        parser.add_argument("--one-window", action="store_true", help="one display window for all experiments")
        parser.add_argument("--out", type=Path, help="folder for report.json, curves.csv, curves.svg, curves.png")

    def answer(self, **options: Any) -> Answer:
        began = os.times()
        try:
            plan = plan_of(options)
            comparison = compare_strategies(self._labelled(options), plan, self.progress)
            files = [] if options["out"] is None else write_files(comparison, options["out"])
        except KeyboardInterrupt:
            raise CommandError("Interrupted: nothing was written.") from None
        except (ImageError, ValueError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The files could not be written: {error}. Choose another --out.") from error
        return comparison.report | {"files": files} | _cost(began, os.times())

    def _labelled(self, options: dict[str, Any]) -> Labelled:
        if options["study"] is not None:
            if options["drop_channel"] or options["one_window"] or options["task"]:
                raise ValueError(
                    "--task, --drop-channel and --one-window go with --manifest: a study is embedded already"
                )
            return study_pool(study_named(options["study"]))
        reading = Reading(frozenset(options["drop_channel"]), options["one_window"])
        return manifest_pool(options["manifest"], options["task"], reading, self.progress)

    def describe(self, answer: Answer) -> str:
        cost = f"{answer['cpu_seconds']:.0f} CPU-seconds, {answer['seconds']:.0f} s on the clock"
        return "\n".join([as_text(answer), cost, *answer["files"]])


def plan_of(options: dict[str, Any]) -> EfficiencyPlan:
    """The plan that the options ask for; ValueError names what is wrong with one."""
    ranking = RankingSettings()
    names = [name.strip() for name in options["strategies"].split(",") if name.strip()]
    unsure = NOT_SURE_RATE if options["annotator"] == "not-sure" else 0.0
    if options["soft_not_sure"] and not unsure:
        raise ValueError('--soft-not-sure compares uses of "not sure": add --annotator not-sure')
    return EfficiencyPlan(
        strategies=tuple(dict.fromkeys([RANDOM, ranking.strategy, *names])),
        seeds=tuple(range(options["seeds"])),
        budget=options["budget"],
        step=options["step"],
        jobs=max(1, min(options["jobs"], os.cpu_count() or 1)),
        annotator=_annotator(options["annotator"], options["error_rate"], unsure),
        ranking=ranking,
        hedge=options["hedge"],
        soft_not_sure=options["soft_not_sure"],
    )


def _annotator(kind: str, error_rate: float, unsure: float) -> SimulatedAnnotator:
    """Who answers; a name in every table tells a simulation from the labels as they stand."""
    name = kind if not error_rate else f"{kind} with errors"
    return SimulatedAnnotator(f"simulated {name}" if unsure or error_rate else name, error_rate, unsure)


def _cost(began: os.times_result, ended: os.times_result) -> dict[str, float]:
    """Seconds on the clock and CPU-seconds of this process and its helpers."""
    cpu = sum(ended[:4]) - sum(began[:4])
    return {"seconds": round(ended.elapsed - began.elapsed, 1), "cpu_seconds": round(cpu, 1)}
