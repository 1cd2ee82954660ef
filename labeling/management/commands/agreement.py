"""`manage.py agreement`: how far annotators agree, for a table or for a study."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.agreement.summary import summarise
from labeling.agreement.table import read_csv
from labeling.services.studies import study_named
from labeling.services.summary import agreement_of


class Command(JsonCommand):
    """Percent agreement, Krippendorff's alpha with its interval, and every pair of annotators."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("study", nargs="?", default="", help="name or number of a study")
        source.add_argument("--table", type=Path, help="CSV with the columns item, annotator, label")
        parser.add_argument("--not-sure", default=None, metavar="LABEL", help="the label that means: not sure")
        parser.add_argument("--with-imported", action="store_true", help="imported answers were given independently")

    def answer(self, **options: Any) -> Answer:
        try:
            if options["table"] is None:
                return agreement_of(study_named(options["study"]), with_imported=options["with_imported"])
            return summarise(read_csv(options["table"], not_sure=options["not_sure"]))
        except OSError as error:
            raise CommandError(f"{options['table']}: {error.strerror}. Check the path.") from error
        except ValueError as error:
            raise CommandError(str(error)) from error

    def describe(self, answer: Answer) -> str:
        alpha = answer["alpha_nominal"]
        lines = [
            f"{answer['n_items']} items, {answer['n_annotators']} annotators",
            f"percent agreement  {_number(answer['percent_agreement'])}",
            f"Krippendorff alpha {_number(alpha['value'])} [{_number(alpha['low'])}, {_number(alpha['high'])}]"
            f" ({answer['word']})",
        ]
        lines += [
            f"  {pair['a']} and {pair['b']}: n {pair['n']}, agreement {_number(pair['agreement'])},"
            f" kappa {_number(pair['kappa'])}"
            for pair in answer["pairwise"]
        ]
        return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
