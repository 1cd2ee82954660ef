"""What quality control says, image by image and file by file."""

from typing import Any

from imaging.models import Experiment, Image, QualityReport, Verdict
from imaging.pixels.quality import PREFIX


def file_reports(experiment: Experiment) -> list[dict[str, Any]]:
    """For each image file: relative path, verdict, reasons in words, and metrics.

    A field whose channels lie in files of their own has one row per file, with the metrics and the reasons of
    that channel; reasons that concern the whole field stand at each.
    """
    images = Image.objects.filter(sample__experiment=experiment).prefetch_related("quality_reports")
    return [row for image in images.order_by("name") for row in _of_image(image)]


def reason_text(reason: dict[str, Any]) -> str:
    """A reason in one line: code, channel, figure, limit and advice."""
    channel = f" in {reason['channel']}" if reason["channel"] else ""
    figures = f"{reason['metric']} {_short(reason['value'])}, limit {_short(reason['limit'])}"
    return f"{reason['code']}{channel}: {figures}; {reason['advice']}"


def _of_image(image: Image) -> list[dict[str, Any]]:
    report = image.quality_reports.last()
    if report is None:
        return []
    if len(image.files) == 1:
        return [_row(image.files[0]["name"], report.verdict, report.reasons, report.metrics)]
    return [_of_file(file, report) for file in image.files]


def _of_file(file: dict[str, Any], report: QualityReport) -> dict[str, Any]:
    channel = file.get("shown_as", file["channel"])
    own = [reason for reason in report.reasons if reason["channel"] in ("", channel)]
    metrics = {key: value for key, value in report.metrics.items() if _channel_of(key) in ("", channel)}
    if report.verdict != Verdict.USE_PART:
        return _row(file["name"], report.verdict, own, metrics)
    if any(reason.get("fails", False) for reason in own):
        return _row(file["name"], Verdict.REJECT, own, metrics)
    return _row(file["name"], Verdict.USE_PART if own else Verdict.USE, own, metrics)


def _channel_of(key: str) -> str:
    """Channel of a metric `ImageQuality_<Metric>_<channel>`; empty for a metric of the whole field."""
    return key.removeprefix(PREFIX).partition("_")[2]


def _row(path: str, verdict: str, reasons: list[dict[str, Any]], metrics: dict[str, float]) -> dict[str, Any]:
    return {
        "path": path,
        "verdict": str(verdict),
        "reasons": [reason_text(reason) for reason in reasons],
        "metrics": metrics,
    }


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
