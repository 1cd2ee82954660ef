"""Brings other objects and further images into an experiment that is there already.

No answer is lost and none comes to point at another object: a crop keeps its number, key, centre and pixels for good.
An object of the new segmentation that is the same as a crop's (`imaging.pixels.matching`) changes at most its
outline, and that only where nobody has spoken about the crop. What is found no more is marked gone and asked no more;
what has no partner becomes a new crop. Shards are written first, then all rows in one transaction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from django.db import models, transaction
from django.utils import timezone

from audit import services as audit
from imaging.models import Crop, CropMove, Experiment, Image, QualityReport, Revision, Sample
from imaging.pixels.crops import CropPlan, cut_crops
from imaging.pixels.listing import FieldEntry, Listing
from imaging.pixels.objects import ObjectSet
from imaging.pixels.quality import QualityRules, judge
from imaging.pixels.reading import open_planes
from imaging.services.storage import shard
from imaging.worker.ingest import Options, Report, left_out, read_all
from imaging.worker.measuring import FieldFacts, centres_digest, content_digest, objects_digest
from imaging.worker.moves import Change, Found, compare, kind_of
from imaging.worker.storing import create_crops, create_image, create_report, outline_of, sample_name, write_shards

Progress = Callable[[str], None]
Kind = CropMove.Kind


class ResegmentRefused(ValueError):
    """Nothing was changed; the message says why and what to do."""


@dataclass(slots=True)
class ImageReport:
    """What became of the crops of one image; `kept` have the same outline as before."""

    name: str
    is_added: bool
    kept: int = 0
    outline: int = 0
    moved: int = 0
    new: int = 0
    gone: int = 0
    back: int = 0
    held: int = 0
    unclear: int = 0


@dataclass(slots=True)
class Outcome:
    """What a revision changed, or would change: `revision` is its number, None where nothing was written.

    `images` tells of those that were looked at, `untouched` counts the others; `refused` and `warnings` as in ingest.
    """

    experiment: str
    revision: int | None = None
    images: list[ImageReport] = field(default_factory=list)
    untouched: int = 0
    total: dict[str, int] = field(default_factory=dict)
    moved_px: dict[str, float] = field(default_factory=dict)
    refused: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """How to bring it in: `adds_only` leaves standing images alone, `is_trial` only reports."""

    adds_only: bool = False
    is_trial: bool = False
    actor: str = "process:resegment"
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be written: changes of standing images, and fields that are added."""

    changed: tuple[tuple[Image, FieldFacts, Change], ...]
    added: tuple[FieldFacts, ...]
    content: str


def resegment(
    experiment: Experiment, listing: Listing, wish: Wish | None = None, progress: Progress = lambda _: None
) -> Outcome:
    """Take over the objects and images of the listing; what is there already is found by its pixels' digest.

    May run twice: the second time finds nothing to change. ResegmentRefused leaves everything as it was.
    """
    wish = wish or Wish()
    outcome = Outcome(experiment.name, warnings=list(listing.warnings))
    facts = _read(experiment, listing, wish, outcome, progress)
    plan = _plan(experiment, facts, wish)
    distances = _tell(outcome, experiment, plan)
    if wish.is_trial or not (plan.changed or plan.added):
        return outcome
    fields = [_fresh_part(image, item, change) for image, item, change in plan.changed] + list(plan.added)
    places = write_shards(fields)
    with transaction.atomic():
        revision = _begin(experiment, plan, str(listing.root))
        for (image, item, change), part, rows in zip(plan.changed, fields, places):
            _write_change(revision, image, (item, part), change, rows)
        _write_added(revision, plan.added, places[len(plan.changed) :])
        outcome.revision = revision.number
        revision.report = asdict(outcome)
        revision.save(update_fields=["report"])
        detail = {"revision": revision.number, "before": revision.content_before, "after": plan.content}
        audit.record("experiment.revised", experiment, actor=wish.actor, detail=detail | outcome.total | distances)
    return outcome


def _read(
    experiment: Experiment, listing: Listing, wish: Wish, outcome: Outcome, progress: Progress
) -> list[FieldFacts]:
    """The fields of the listing that belong here and can be read; the others are told."""
    mine, others = _of_experiment(experiment, listing)
    outcome.warnings += [f"{name}: is left alone, the manifest puts it into another experiment" for name in others]
    outcome.refused += [{"path": item.path, "reason": item.reason} for item in listing.refused]
    given = Options(pixel_size_um=experiment.pixel_size_um, channels=wish.channels or _channel_names(experiment))
    given = replace(given, store=replace(given.store, bit_depth=experiment.bit_depth))
    report = Report()
    progress(f"{experiment.name}: reading {len(mine)} fields")
    facts, _ = read_all(mine, given, report, progress)
    outcome.refused += report.refused
    outcome.warnings += [text for item in facts for text in left_out(item)]
    if not facts:
        raise ResegmentRefused(
            f"No image of '{experiment.name}' could be read here: give the folder or manifest that holds its images."
        )
    return facts


def _of_experiment(experiment: Experiment, listing: Listing) -> tuple[list[FieldEntry], list[str]]:
    mine = [entry for entry in listing.fields if entry.experiment in ("", experiment.name)]
    return mine, [entry.name for entry in listing.fields if entry.experiment not in ("", experiment.name)]


def _channel_names(experiment: Experiment) -> tuple[str, ...]:
    """The names that the user gave at the first time, where every image has all of them."""
    names = tuple(row["name"] for row in experiment.channels)
    alike = all(tuple(own) == names for own in _images(experiment).values_list("channels", flat=True))
    return names if alike else ()


def _images(experiment: Experiment) -> models.QuerySet[Image]:
    return Image.objects.filter(sample__experiment=experiment)


def _plan(experiment: Experiment, facts: Sequence[FieldFacts], wish: Wish) -> _Plan:
    standing = {image.sha256: image for image in _images(experiment).select_related("sample")}
    known = {digest: image.objects_digest or _digest_of(image) for digest, image in standing.items()}
    changed, added = [], []
    for item in facts:
        image = standing.get(item.digest)
        if image is None:
            added.append(item)
        elif not wish.adds_only and objects_digest(item) != known[item.digest]:
            _refuse_whole(image, item)
            changed.append((image, item, compare(image, item.objects)))
    _refuse_unfit(experiment, added)
    fields = known | {item.digest: objects_digest(item) for item in (*added, *(item for _, item, _ in changed))}
    plan = [_cut_as_there(experiment, item) for item in added]
    return _Plan(tuple(changed), tuple(plan), content_digest(fields.items()))


def _digest_of(image: Image) -> str:
    """Digest of the objects of an image that was taken in before digests were kept."""
    centres = Crop.objects.standing().filter(image=image).order_by("id").values_list("x", "y")
    return centres_digest(np.array(list(centres), dtype=np.float64).reshape(-1, 2))


def _refuse_whole(image: Image, item: FieldFacts) -> None:
    if (image.object_source == "whole") != (item.source == "whole"):
        raise ResegmentRefused(
            f"{image.name}: it was read as {image.object_source}, and now as {item.source}. A whole image as one "
            "crop and objects in it are different questions: take it in as another experiment with manage.py ingest."
        )


def _refuse_unfit(experiment: Experiment, added: Iterable[FieldFacts]) -> None:
    """Refuse images that the experiment's channels and names have no place for."""
    known = {row["name"] for row in experiment.channels}
    names = set(_images(experiment).values_list("sample__name", "name"))
    for item in added:
        unknown = sorted(set(item.info.channel_names) - known)
        if unknown:
            raise ResegmentRefused(
                f"{item.entry.name}: the experiment has no channel '{unknown[0]}'. Name the channels with "
                "--channels, or take these images in as another experiment with manage.py ingest."
            )
        if (sample_name(experiment, item.entry), item.entry.name) in names:
            raise ResegmentRefused(
                f"{item.entry.name}: an image of this name with other pixels is in the experiment. Rename the "
                "file, or put the original back."
            )


def _cut_as_there(experiment: Experiment, item: FieldFacts) -> FieldFacts:
    """An added field, cut at the magnification of the images that are there, where no pixel size settles it."""
    if item.info.pixel_size_um is not None or item.source == "whole":
        return item
    alike = _images(experiment).filter(pixel_size_um__isnull=True).exclude(object_source="whole").first()
    plan = _plan_of(alike) if alike else item.plan
    return item if plan == item.plan else replace(item, plan=plan, crops=_cut(item, item.objects.centroids, plan))


def _plan_of(image: Image) -> CropPlan:
    """How the crops of an image were cut, so that further ones are cut alike."""
    row = Crop.objects.filter(image=image).first()
    size = shard(row.shard).shape[-1] if row else CropPlan().size_px
    return CropPlan(int(size), image.crop_field_px)


def _cut(item: FieldFacts, centroids: Any, plan: CropPlan) -> Any:
    return cut_crops(open_planes(item.entry.files), centroids, plan)


def _fresh_part(image: Image, item: FieldFacts, change: Change) -> FieldFacts:
    """The field with those of its objects that are new, cut like the crops that are there."""
    rows = list(change.fresh)
    plan = _plan_of(image)
    objects = ObjectSet(
        item.objects.boxes[rows],
        item.objects.centroids[rows],
        tuple(item.objects.contours[row] for row in rows),
        item.objects.source,
    )
    crops = item.crops[rows] if plan == item.plan else _cut(item, objects.centroids, plan)
    return replace(item, objects=objects, plan=plan, crops=crops)


def _begin(experiment: Experiment, plan: _Plan, source: str) -> Revision:
    """The next revision; refused where somebody else's came in between."""
    now = Experiment.objects.select_for_update().get(pk=experiment.pk)
    if (now.revision, now.content_digest) != (experiment.revision, experiment.content_digest):
        raise ResegmentRefused(f"'{experiment.name}' was changed meanwhile: run this again.")
    before = now.content_digest
    experiment.revision, experiment.content_digest = now.revision + 1, plan.content
    experiment.save(update_fields=["revision", "content_digest"])
    return Revision.objects.create(
        experiment=experiment,
        number=experiment.revision,
        source=source,
        content_before=before,
        content_after=plan.content,
    )


def _write_change(
    revision: Revision,
    image: Image,
    fields: tuple[FieldFacts, FieldFacts],
    change: Change,
    places: Sequence[tuple[str, int]],
) -> None:
    item, part = fields
    held = spoken_about([*(found.crop.pk for found in change.found), *(crop.pk for crop in change.gone)])
    moves = [_renew(revision, found, item.objects, is_held=found.crop.pk in held) for found in change.found]
    renewed = [row.crop for row in moves if row is not None]
    Crop.objects.bulk_update(renewed, ["gone_at", "x0", "y0", "x1", "y1", "contour"], batch_size=500)
    created = create_crops(image, part, places)
    moves += [
        CropMove(revision=revision, crop=row, kind=Kind.NEW, **change.relation_of_fresh.get(row.key, {}))
        for row in created
    ]
    moves += [
        CropMove(
            revision=revision,
            crop=row,
            kind=Kind.GONE,
            is_held=row.pk in held,
            **change.relation_of_gone.get(row.pk, {}),
        )
        for row in change.gone
    ]
    Crop.objects.filter(pk__in=[row.pk for row in change.gone]).update(gone_at=timezone.now())
    CropMove.objects.bulk_create([row for row in moves if row is not None], batch_size=500)
    image.object_source, image.objects_digest = item.source, objects_digest(item)
    image.save(update_fields=["object_source", "objects_digest"])


def _renew(revision: Revision, found: Found, objects: ObjectSet, *, is_held: bool) -> CropMove | None:
    """What happens to a crop whose object was found again; None where it is exactly as it was."""
    kind = kind_of(found, objects)
    if kind is None:
        return None
    crop, fresh = found.crop, outline_of(objects, found.new)
    before = {"box": [crop.x0, crop.y0, crop.x1, crop.y1], "contour": crop.contour}
    if kind == Kind.BACK:
        crop.gone_at = None
    if not is_held:
        crop.x0, crop.y0, crop.x1, crop.y1 = fresh["box"]
        crop.contour = fresh["contour"]
    return CropMove(
        revision=revision,
        crop=crop,
        kind=kind,
        distance_px=found.distance_px,
        overlap=found.overlap,
        is_held=is_held,
        outline=fresh if is_held else before,
    )


def spoken_about(crops: Sequence[int]) -> set[int]:
    """Those of the crops that something must not lose: rows that protect them, such as answers and comments."""
    found: set[int] = set()
    for relation in Crop._meta.related_objects:
        if relation.on_delete is models.PROTECT:
            rows = relation.related_model._default_manager
            for start in range(0, len(crops), 5000):
                name = relation.field.name
                part = rows.filter(**{f"{name}__in": crops[start : start + 5000]})
                found |= set(part.values_list(name, flat=True))
    return found


def _write_added(revision: Revision, added: Sequence[FieldFacts], places: Sequence[list[tuple[str, int]]]) -> None:
    """The images that are new here, judged among all of the experiment; the verdicts of the others stay."""
    rules = QualityRules()
    before = _standing_metrics(revision.experiment)
    verdicts = judge([*before, *(item.metrics for item in added)], rules)[len(before) :]
    for item, verdict, rows in zip(added, verdicts, places):
        image = create_image(_sample(revision.experiment, item.entry), item, verdict)
        create_report(image, item, verdict, rules)
        moves = [CropMove(revision=revision, crop=row, kind=Kind.NEW) for row in create_crops(image, item, rows)]
        CropMove.objects.bulk_create(moves, batch_size=500)


def _standing_metrics(experiment: Experiment) -> list[dict[str, float]]:
    reports = QualityReport.objects.filter(image__sample__experiment=experiment).order_by("image", "created_at")
    return list(dict(reports.values_list("image", "metrics")).values())


def _sample(experiment: Experiment, entry: FieldEntry) -> Sample:
    facts = {
        "site": entry.batch,
        "subject": entry.subject,
        "condition": entry.condition,
        "is_control": entry.is_control,
    }
    name = sample_name(experiment, entry)
    return Sample.objects.get_or_create(experiment=experiment, name=name, defaults=facts)[0]


def _tell(outcome: Outcome, experiment: Experiment, plan: _Plan) -> dict[str, Any]:
    """Fill the outcome with what each image's crops become; returns the distances for the event."""
    distances: list[float] = []
    for image, item, change in plan.changed:
        kinds = Counter(kind_of(found, item.objects) or "kept" for found in change.found)
        row = ImageReport(image.name, is_added=False, **{str(kind): number for kind, number in kinds.items()})
        row.new, row.gone = len(change.fresh), len(change.gone)
        held = spoken_about([found.crop.pk for found in change.found] + [crop.pk for crop in change.gone])
        row.held = len(held)
        row.unclear = len(change.relation_of_fresh) + len(change.relation_of_gone)
        distances += [found.distance_px for found in change.found if found.distance_px]
        outcome.images.append(row)
    outcome.images += [ImageReport(item.entry.name, is_added=True, new=len(item.objects)) for item in plan.added]
    outcome.untouched = _images(experiment).count() - len(plan.changed)
    columns = ("kept", "outline", "moved", "new", "gone", "back", "held", "unclear")
    outcome.total = {name: sum(getattr(row, name) for row in outcome.images) for name in columns}
    if distances:
        outcome.moved_px = {"median": float(np.median(distances)), "largest": float(max(distances))}
    return {"moved_px": outcome.moved_px} if distances else {}
