"""Seconds to explain one crop, and to find crops like it in a pool, against plain ways to do the same."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.measure import cpu_seconds
from benchmarks.rerank import CLASSES, Case, make_case
from benchmarks.rows import Beside, Row
from training.learning import explain
from training.learning.explain import ExplainedHead, Labelled
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.head import Standardisation, fit_head, standardise
from training.learning.similar import nearest_first, standardised_distance

LABELS, DIMENSION, POOL = 5000, 384, 100_000
SHOWN = 50


def measure() -> list[Row]:
    """5,000 labelled crops of 384 columns; a pool of 100,000 in a memory-mapped file."""
    case = make_case(POOL, DIMENSION)
    norm = standardise(case.embeddings)
    labelled = Labelled(np.arange(LABELS), case.embeddings[:LABELS], np.eye(CLASSES)[case.classes[:LABELS]])
    explained = explain.fit_to_explain(labelled, norm)
    query = case.embeddings[-1]
    return [*_crop_rows(explained, query), _fit_row(labelled, norm), _channel_row(), *_pool_rows(case, norm)]


def _crop_rows(explained: ExplainedHead, query: NDArray[np.float32]) -> list[Row]:
    near = cpu_seconds(lambda: explain.nearest_labelled(explained, query))
    parts = cpu_seconds(lambda: explain.contrast(explained, query))
    plain = cpu_seconds(lambda: plain_nearest(explained.labelled, query))
    return [
        Row("nearest_5000_x_384", near, "CPU-s", "<= 0.1", Beside("scikit-learn, an index per class", plain)),
        Row("contributions_5000_x_384", parts, "CPU-s", "<= 0.1"),
    ]


def plain_nearest(labelled: Labelled, query: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """The five nearest crops of each class by scikit-learn on standardised columns."""
    norm = standardise(labelled.X)
    rows, own = ((part - norm.mean) / norm.scale for part in (labelled.X, query[None]))
    found = []
    for column in labelled.targets.T:
        index = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(rows[column > 0])
        found.append(index.kneighbors(own, return_distance=False)[0])
    return found


def _fit_row(labelled: Labelled, norm: Standardisation) -> Row:
    """What the first page after an answer waits for; later pages find the head in memory."""
    seconds = cpu_seconds(lambda: explain.fit_to_explain(labelled, norm), repeats=3)
    usual = cpu_seconds(lambda: fit_head(labelled.X, labelled.targets, standardisation=norm), repeats=3)
    return Row("head_5000_x_384", seconds, "CPU-s", None, Beside("fitting as closely as a ranking does", usual))


def _channel_row() -> Row:
    crop = np.random.default_rng(0).integers(0, 4000, (3, 64, 64)).astype(np.uint16)
    encoder, windows = HandcraftedEncoder(3), [(0.0, 4000.0)] * 3
    seconds = cpu_seconds(lambda: encoder.encode(explain.background_planes(crop), windows))
    return Row("without_each_of_3_channels_64px", seconds, "CPU-s", "<= 0.1")


def _pool_rows(case: Case, norm: Standardisation) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, case.embeddings)
        rows = np.load(path, mmap_mode="r")
        ids = np.arange(POOL)

        def similar() -> NDArray[np.int64]:
            return nearest_first(standardised_distance(rows, rows[7], norm), ids, SHOWN)

        seconds = cpu_seconds(similar)
        floor = cpu_seconds(lambda: rows.sum())
        first = cpu_seconds(lambda: standardise(rows), repeats=3)
    _check(case, norm, similar_to=7)
    return [
        Row("similar_100k_x_384", seconds, "CPU-s", "<= 0.3", Beside("reading the pool once", floor)),
        Row("standardise_100k_x_384", first, "CPU-s", None, Beside("reading the pool once", floor)),
    ]


def _check(case: Case, norm: Standardisation, similar_to: int) -> None:
    query = case.embeddings[similar_to]
    ours = nearest_first(standardised_distance(case.embeddings, query, norm), np.arange(POOL), SHOWN)
    plain = np.sqrt((((case.embeddings - query) / norm.scale) ** 2).mean(axis=1))
    if not np.allclose(plain[ours], np.sort(plain)[:SHOWN], rtol=1e-4):
        raise AssertionError("the two ways differ")
