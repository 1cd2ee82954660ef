"""The built-in demo is real where it says so, disjoint between experiments, and has a known truth."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from imaging.pixels.demo_images import (
    TILE_COLUMNS,
    TILE_ROWS,
    DemoExperiment,
    demo_experiments,
    tile_owner,
    write_demo,
)
from imaging.pixels.digest import file_digest
from imaging.pixels.manifest import object_source, read_manifest
from imaging.pixels.quality import judge, measure
from imaging.pixels.reading import open_planes


@pytest.fixture(scope="module")
def experiments() -> list[DemoExperiment]:
    return demo_experiments(0)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo"), 0)


def test_the_demo_has_enough_cells_of_every_class(experiments: list[DemoExperiment]) -> None:
    objects = [found for e in experiments for field in e.fields for found in field.objects]
    assert 600 <= len(objects) <= 900
    for task in {e.task for e in experiments}:
        labels = Counter(o.label for e in experiments if e.task == task for f in e.fields for o in f.objects)
        assert len(labels) >= 2 and min(labels.values()) >= 0.15 * labels.total()


def test_every_tile_of_the_original_belongs_to_one_experiment(experiments: list[DemoExperiment]) -> None:
    owners = Counter(tile_owner(row, column) for row in range(TILE_ROWS) for column in range(TILE_COLUMNS))
    real = [e for e in experiments if not e.is_synthetic]
    assert [owners[i] for i in range(len(real))] == [len(e.fields) for e in real]
    assert owners.total() == TILE_ROWS * TILE_COLUMNS


def test_quality_control_says_what_each_acquisition_was_made_for(experiments: list[DemoExperiment]) -> None:
    for experiment in experiments:
        ceiling = None if experiment.bit_depth is None else 2.0**experiment.bit_depth - 1
        metrics = [measure(field.pixels, ceiling, experiment.channel_names) for field in experiment.fields]
        verdicts = {verdict.verdict for verdict in judge(metrics)}
        assert (verdicts == {"reject"}) == (experiment.expected == "reject")
        assert experiment.expected == "reject" or "reject" not in verdicts


def test_objects_lie_inside_their_fields_and_know_their_boundary(experiments: list[DemoExperiment]) -> None:
    for field in (field for e in experiments for field in e.fields):
        height, width = field.pixels.shape[1:]
        for found in field.objects:
            assert found.box.clipped(width, height) == found.box and found.box.is_proper
            assert found.boundary_distance >= 0


def test_synthetic_images_say_so_and_use_a_12_bit_camera(experiments: list[DemoExperiment]) -> None:
    (synthetic,) = [e for e in experiments if e.is_synthetic]
    assert synthetic.name.startswith("synthetic-") and "Synthetic" in synthetic.description
    assert len(synthetic.fields) == 4 and {field.well for field in synthetic.fields} == {"B02", "B03"}
    assert all(f.pixels.dtype == np.uint16 and f.pixels.max() <= 4095 for f in synthetic.fields)


def test_the_written_demo_goes_through_the_ordinary_manifest(
    manifest: Path, experiments: list[DemoExperiment]
) -> None:
    listing = read_manifest(manifest)
    assert not listing.refused and not listing.warnings
    assert len(listing.labels) == sum(len(field.objects) for e in experiments for field in e.fields)
    written = {(f.experiment, f.well, f.site): f for f in listing.fields}
    for experiment in experiments:
        for field in experiment.fields:
            entry = written[experiment.name, field.well, field.name]
            reader = open_planes(entry.files)
            assert np.array_equal(reader.field(), field.pixels)
            assert reader.info.channel_names == experiment.channel_names
            assert reader.info.pixel_size_um == experiment.pixel_size_um
            assert reader.info.bit_depth == experiment.bit_depth
            assert object_source(entry, reader.info) == "box"


def test_the_same_seed_writes_the_same_bytes(manifest: Path, tmp_path: Path) -> None:
    again = write_demo(tmp_path, 0)
    for path in sorted(manifest.parent.rglob("*.*")):
        assert file_digest(path) == file_digest(again.parent / path.relative_to(manifest.parent))
