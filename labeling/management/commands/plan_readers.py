"""`manage.py plan_readers`: how many cases a study of readers needs for an interval of a wanted width."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.agreement.planner import ASSURANCE, GRID, KINDS, STUDIES, Assumed, plans


class Command(JsonCommand):
    """How many cases and readers give agreement an interval of the wanted half-width, by seeded simulation."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--prevalence", type=_shares, required=True, metavar="A,B,...", help="how often each class occurs"
        )
        parser.add_argument("--agreement", type=float, required=True, help="how often two readers agree, 0 to 1")
        parser.add_argument("--half-width", type=float, required=True, help="wanted half-width of the 95 %% interval")
        parser.add_argument("--figure", choices=KINDS, default="alpha")
        parser.add_argument("--readers", type=_numbers, default=(2, 3, 4, 5), metavar="2,3,...")

    def answer(self, **options: Any) -> Answer:
        try:
            assumed = Assumed(options["prevalence"], options["agreement"])
            found = plans(assumed, options["figure"], options["half_width"], options["readers"])
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        return {
            "figure": options["figure"],
            "half_width": options["half_width"],
            "expected": assumed.agreement if options["figure"] == "percent" else assumed.beyond_chance,
            "assurance": ASSURANCE,
            "studies": STUDIES,
            "plans": [
                {
                    "readers": row.readers,
                    "cases": row.cases,
                    "reads": row.reads,
                    "widths": dict(zip(GRID, row.widths, strict=True)),
                }
                for row in found
            ],
        }

    def describe(self, answer: Answer) -> str:
        head = (
            f"{answer['figure']} of about {answer['expected']:.2f}, half-width {answer['half_width']:g} in four of "
            "five studies:"
        )
        return "\n".join([head, *(_line(row) for row in answer["plans"])])


def _line(row: dict[str, Any]) -> str:
    if row["cases"] is None:
        return f"  {row['readers']} readers: more than {GRID[-1]} cases"
    return f"  {row['readers']} readers: {row['cases']} cases, {row['reads']} answers"


def _shares(text: str) -> tuple[float, ...]:
    """Shares between commas, as parts of one or of any whole: 70,20,10."""
    try:
        given = [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of shares such as 70,20,10") from None
    total = sum(given)
    if not 0 < total < float("inf"):
        raise ArgumentTypeError(f"the shares in {text!r} sum to {total:g}: they must sum to more than 0")
    return tuple(share / total for share in given)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of numbers such as 2,3,4") from None
