"""The head that pages show is the one that ranked: the same probabilities and the same variance."""

import numpy as np
import pytest

from imaging.services.storage import local_folder
from labeling.models import Study
from tests.factories import answer, answer_all
from tests.training.conftest import Bench
from training.learning import tuning
from training.learning.head import probabilities, variance
from training.models import Ranking
from training.worker.ranking import RankingWorker
from training.worker.saving import file_names
from training.worker.study_head import study_head


@pytest.mark.parametrize("soft", [False, True])
def test_pages_show_what_the_ranking_was_made_with_also_where_it_was_tuned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, soft: bool
) -> None:
    monkeypatch.setattr(tuning, "FEWEST", 10)
    Study.objects.filter(pk=bench.study.pk).update(not_sure_as_soft_labels=soft)
    bench.study.refresh_from_db()
    answer_all(bench.study, bench.bob, [crop for place, crop in enumerate(bench.crops) if place % 24 < 20])
    for place in (20, 21, 44, 45):
        answer(bench.study, bench.bob, bench.crops[place], "")
    worker = RankingWorker()
    worker.step()
    row = Ranking.objects.latest("id")
    assert row.parameters["ridge"] != 0.05
    shown = study_head(bench.study)
    features = shown.known.pool.features
    ranked = worker._warm[bench.study.pk].ranker.variance
    np.testing.assert_allclose(variance(shown.explained.head, features), ranked, rtol=1e-6)
    kept = np.load(local_folder("rankings") / file_names(row.digest)[1], allow_pickle=False)
    np.testing.assert_allclose(probabilities(shown.explained.head, features), kept, atol=2e-3)
