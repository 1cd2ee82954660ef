"""Run records: equal runs give equal text, different runs say where."""

import json
from dataclasses import replace

import pytest

from inference.pipeline.provenance import (
    ABSENT,
    Environment,
    RunRecord,
    compare,
    current_environment,
    record_from_json,
    same_results,
)
from inference.pipeline.stage import PipelineError

HERE = Environment("0.1.0", {"numpy": "2.4.6", "torch": "2.13.0"}, "cpu", 1, "3.11.7", "linux x86_64")
STAGES = [
    {"name": "quality", "version": 1, "params": {"limit": 0.5}},
    {"name": "predict", "version": 3, "params": {}},
]
RECORD = RunRecord(
    inputs={"plate/A01_s1.tif": "aa", "plate/A01_s2.tif": "bb"},
    pipeline=STAGES,
    model={"digest": "m1", "classes": ["G1", "M"]},
    environment=HERE,
    seeds={"predict": 0},
    results={"plate/A01_s1.tif": "r1"},
    outputs={"objects.parquet": "p1"},
)


def paths(other: RunRecord) -> list[str]:
    return [difference.path for difference in compare(RECORD, other)]


def test_a_record_does_not_differ_from_itself_read_back():
    again = record_from_json(RECORD.to_json())
    assert compare(RECORD, again) == []
    assert (again.to_json(), again.digest) == (RECORD.to_json(), RECORD.digest)


def test_the_order_of_inputs_changes_nothing():
    turned = replace(RECORD, inputs=dict(reversed(RECORD.inputs.items())))
    assert turned.digest == RECORD.digest


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"inputs": {**RECORD.inputs, "plate/A01_s1.tif": "xx"}}, ["inputs[plate/A01_s1.tif]"]),
        (
            {"environment": replace(HERE, libraries={**HERE.libraries, "numpy": "2.5"})},
            ["environment.libraries.numpy"],
        ),
        (
            {"environment": replace(HERE, device="cuda", threads=4)},
            ["environment.device", "environment.threads"],
        ),
        ({"model": {**RECORD.model, "classes": ["G1", "S"]}}, ["model.classes.#2"]),
        ({"seeds": {}}, ["seeds", "seeds.predict"]),
        (
            {"pipeline": [{**STAGES[0], "params": {"limit": 0.6}}, STAGES[1]]},
            ["pipeline.quality.params.limit"],
        ),
    ],
)
def test_a_difference_is_named_by_its_path(change, expected):
    assert [path.replace("[#2]", ".#2") for path in paths(replace(RECORD, **change))] == expected


def test_a_stage_more_is_one_difference_and_not_all_that_follow():
    more = [STAGES[0], {"name": "segment", "version": 1, "params": {}}, STAGES[1]]
    assert all(path.startswith("pipeline.segment") for path in paths(replace(RECORD, pipeline=more)))


def test_what_one_run_lacks_is_absent_there():
    [difference] = compare(RECORD, replace(RECORD, outputs={**RECORD.outputs, "objects.csv": "c1"}))
    assert (difference.first, difference.second) == (ABSENT, "c1")
    assert str(difference) == "outputs[objects.csv]: (absent) in the first run, c1 in the second"


def test_results_may_be_the_same_on_another_machine():
    elsewhere = replace(RECORD, environment=replace(HERE, platform="darwin arm64"))
    assert same_results(RECORD, elsewhere)
    assert not same_results(RECORD, replace(RECORD, outputs={}))


def test_the_pipeline_digest_covers_versions_and_parameters():
    raised = [{**STAGES[0], "version": 2}, STAGES[1]]
    assert replace(RECORD, pipeline=raised).pipeline_digest != RECORD.pipeline_digest
    assert replace(RECORD, seeds={}).pipeline_digest == RECORD.pipeline_digest


def test_the_present_environment_names_the_libraries_that_compute():
    environment = current_environment("0.1.0")
    assert {"numpy", "scipy", "pyarrow"} <= set(environment.libraries)
    assert environment.python.startswith("3.")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_a_text_that_is_no_record_is_refused(text):
    with pytest.raises(PipelineError, match="not a run record"):
        record_from_json(text)


def test_a_record_of_a_later_version_is_refused():
    content = json.loads(RECORD.to_json()) | {"version": 99}
    with pytest.raises(PipelineError, match="version 99; this code reads 1"):
        record_from_json(json.dumps(content))


def test_a_record_with_other_parts_is_refused():
    content = json.loads(RECORD.to_json()) | {"extra": 1}
    with pytest.raises(PipelineError, match="other parts"):
        record_from_json(json.dumps(content))
