"""The quality stage: values with reasons, for one field alone."""

import numpy as np
import pytest

from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.quality import QualityRules, Verdict
from inference.pipeline.quality import STAGE, run
from inference.pipeline.run import open_field
from inference.pipeline.stage import ParamsError
from inference.pipeline.state import FieldContext


def discs(top: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:240, :240]
    field = np.full((240, 240), 300.0)
    for cx, cy in rng.uniform(20, 220, (12, 2)):
        field += top * (np.hypot(x - cx, y - cy) < 9)
    return np.minimum(rng.poisson(field), 4095).astype(np.uint16)[None]


def judged(pixels: np.ndarray, rules: QualityRules | None = None, **context):
    return run(open_field(FieldContext(**context), pixels), rules or QualityRules())


def test_a_good_field_is_used_and_its_metrics_are_kept():
    field = judged(discs(), ceiling=4095.0)
    assert field.verdict == Verdict("use")
    assert field.metrics["ImageQuality_Ceiling_channel 1"] == 4095.0


def test_the_bit_depth_of_the_file_is_the_ceiling_unless_the_caller_knows_better():
    info = ImageInfo((1, 1, 240, 240), "YX", "uint16", ("DNA",), bit_depth=14)
    reader = ArrayReader(discs()[None], info)
    metrics = [
        run(open_field(FieldContext(ceiling=known), reader), QualityRules()).metrics for known in (None, 4095.0)
    ]
    assert [values["ImageQuality_Ceiling_DNA"] for values in metrics] == [16383.0, 4095.0]


def test_a_saturated_field_is_rejected_with_value_limit_and_advice():
    [reason] = [r for r in judged(discs(9000), ceiling=4095.0).verdict.reasons if r.code == "saturated"]
    assert reason.value > reason.limit
    assert "Re-expose" in reason.advice


def test_a_given_judgement_is_taken_without_measuring_again():
    field = judged(discs(), verdict=Verdict("use_part"))
    assert (field.verdict.verdict, field.metrics) == ("use_part", {})


def test_another_limit_gives_another_verdict():
    lenient = QualityRules(saturated_reject_percent=99.0, saturated_warn_percent=98.0)
    codes = {reason.code for reason in judged(discs(9000), lenient, ceiling=4095.0).verdict.reasons}
    assert "saturated" not in codes


def test_rules_are_read_like_any_parameters():
    assert STAGE.parse({"robust_z": 4}).robust_z == 4.0
    with pytest.raises(ParamsError, match="quality: the parameter 'robust_zz' is not known; did you mean 'robust_z'"):
        STAGE.parse({"robust_zz": 4})
