"""`manage.py agreement`: how far annotators agree, for a table or for a study."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.agreement.report import full_report
from labeling.agreement.table import read_csv
from labeling.services.studies import study_named
from labeling.services.summary import agreement_of

MORE = {
    "alpha_ordinal": "  ordinal",
    "alpha_interval": "  interval",
    "alpha_ratio": "  ratio",
    "fleiss_kappa": "Fleiss kappa",
    "gwet_ac1": "Gwet AC1",
}


class Command(JsonCommand):
    """How far annotators agree: coefficients with intervals, classes, pairs, re-reads, consensus model, suspects."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("study", nargs="?", default="", help="name or number of a study")
        source.add_argument("--table", type=Path, help="CSV with the columns item, annotator, label")
        parser.add_argument("--not-sure", default=None, metavar="LABEL", help="the label that means: not sure")
        parser.add_argument("--with-imported", action="store_true", help="imported answers were given independently")

        parser.add_argument(
            "--order", default=None, metavar="A,B,C", help="the labels from low to high, where ordered"
        )

    def answer(self, **options: Any) -> Answer:
        order = _order(options["order"])
        try:
            if options["table"] is None:
                study = study_named(options["study"])
                return agreement_of(study, with_imported=options["with_imported"], ordered=order, full=True)
            return full_report(read_csv(options["table"], not_sure=options["not_sure"]), order)
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
        lines += [f"{name:18} {_number(answer[key]['value'])}{_reason(answer[key])}" for key, name in MORE.items()]
        lines += [
            f"  {pair['a']} and {pair['b']}: n {pair['n']}, agreement {_number(pair['agreement'])},"
            f" kappa {_number(pair['kappa'])}"
            for pair in answer["pairwise"]
        ]
        likelihood = answer["dawid_skene"]["log_likelihood"]
        lines.append(f"Dawid-Skene log-likelihood {_number(likelihood)}{_reason(answer['dawid_skene'])}")
        return "\n".join([*lines, *(found["text"] for found in answer["suspects"])])


def _order(text: str | None) -> list[str] | None:
    """The labels between commas; one that has a comma itself stands in quotation marks."""
    return None if text is None else [label.strip() for label in next(csv.reader([text], skipinitialspace=True), [])]


def _reason(figure: dict[str, Any]) -> str:
    return f" ({figure['reason']})" if figure["reason"] else ""


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
