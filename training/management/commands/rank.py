"""`manage.py rank`: rank a study's pool now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.services.queue import RANKED, newest_ranking
from labeling.services.studies import StudyRefused, study_named
from training.worker.ranking import RankingWorker

SHOWN = 20


class Command(JsonCommand):
    """Refit on all standing answers, rescore the whole pool, and put the new queue in place."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
        except StudyRefused as error:
            raise CommandError(str(error)) from error
        if study.archived_at is not None:
            raise CommandError(f"The study '{study}' is archived and not ranked: its lead can restore it.")
        worker = RankingWorker()
        newest = newest_ranking(RANKED.ask(study=study.pk)) if worker.rank(study) else None
        if newest is None:
            raise CommandError(worker.refusals[study.pk])
        ranked, newer = newest
        queue = study.queue.select_related("crop")[:SHOWN]
        return {
            "study": study.name,
            "ranking": ranked.digest,
            "strategy": ranked.strategy,
            "encoder": ranked.encoder_name,
            "encoder_digest": ranked.encoder,
            "note": ranked.note,
            "seconds": ranked.seconds,
            "pool": ranked.pool_size,
            "answers": ranked.answers,
            "newer_answers": newer,
            "queue": [{"crop": row.crop.key, "score": row.score, "why": row.why} for row in queue],
        }
