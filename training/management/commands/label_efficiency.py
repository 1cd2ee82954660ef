"""`manage.py label_efficiency`: how many answers each strategy needs for what random sampling reaches."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.pixels.errors import ImageError
from training.learning.efficiency import EfficiencyPlan
from training.learning.ranking import RankingSettings
from training.services.work import Refused
from training.worker.efficiency import compare_strategies


class Command(JsonCommand):
    """Replay the labelling of a manifest with each strategy, on the same folds and seeds."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--manifest", type=Path, required=True)
        parser.add_argument("--task", default="", help="which question, where there are several")
        parser.add_argument("--strategies", default="random,uherding", help="separated by commas; random is in")
        parser.add_argument("--seeds", type=int, default=4)
        parser.add_argument("--budget", type=int, default=200, help="answers per curve")
        parser.add_argument("--jobs", type=int, default=1, help="processes")

    def answer(self, **options: Any) -> Answer:
        names = [name.strip() for name in options["strategies"].split(",") if name.strip()]
        try:
            for name in names:
                RankingSettings(strategy=name)
            plan = EfficiencyPlan(
                strategies=tuple(dict.fromkeys(["random", *names])),
                seeds=tuple(range(options["seeds"])),
                budget=options["budget"],
                jobs=max(1, options["jobs"]),
            )
            return compare_strategies(options["manifest"], options["task"], plan, self.progress)
        except (ImageError, Refused, ValueError) as error:
            raise CommandError(str(error)) from error

    def describe(self, answer: Answer) -> str:
        lines = [f"split: {answer['split']['why']}", "strategy      area   labels to target   ratio   regret"]
        for name, row in answer["strategies"].items():
            lost = row["regret"]
            lines.append(
                f"{name:<12}{row['area']:7.3f}{row['labels_to_target'] or 'never':>12}"
                f"{_ratio(row['ratio_to_random']):>16}"
                f"   {lost['value']:+.3f} [{lost['low']:+.3f}, {lost['high']:+.3f}]"
            )
        return "\n".join(lines)


def _ratio(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"
