"""Labels in and out: what a file of labels would bring, and the files that a study can leave as; for leads."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labeling.exchange.labels import FileRefused, clean
from labeling.models import LabelImport, Study
from labeling.services import access
from labeling.services.export.files import EXPORTS
from labeling.services.export.masks import has_outlines
from labeling.services.imports.people import pseudonym
from labeling.services.imports.plan import WORDS, Plan, plan
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.imports.taking_back import standing_counts, standing_of
from labeling.services.imports.taking_back import take_back as withdraw
from labeling.services.imports.waiting import forget, keep, waiting
from labeling.services.reader_study.guard import refuse_results
from labeling.services.studies import StudyRefused
from labeling.views.acting import confirm_first

# A page holds the file in memory while it reads it: larger ones go through the command line.
MOST_BYTES = 16 * 2**20
SHOWN = 200
AUTOMATIC = "as the file looks"
NO_OUTLINES = "There are no outlined objects in this study: the file would be empty."


class ImportForm(forms.Form):
    """A file of labels, and what it may not say itself."""

    file = forms.FileField(label="File", help_text="CSV, Label Studio JSON, QuPath GeoJSON, or a training set.")
    format = forms.ChoiceField(label="Format", required=False, choices=[("", AUTOMATIC), *LabelImport.Format.choices])
    annotator = forms.CharField(
        label="Annotator", required=False, max_length=120, help_text="Who gave the labels that name nobody."
    )
    image = forms.CharField(
        label="Image", required=False, max_length=500,
        help_text="QuPath GeoJSON names no image: which one is it? Empty: the one that the file is named after.",
    )  # fmt: skip
    images = forms.FileField(
        label="Table of images", required=False,
        help_text="For a training set of CellProfiler Analyst: Image.csv, which says what each ImageNumber is.",
    )  # fmt: skip
    adds_classes = forms.BooleanField(label="Add classes that the study does not have", required=False)

    def clean_file(self) -> UploadedFile:
        """A file that a page can read at once."""
        return _small(self.cleaned_data["file"])

    def clean_images(self) -> UploadedFile | None:
        """The same for the table of images."""
        file = self.cleaned_data["images"]
        return file and _small(file)

    def upload(self) -> Upload:
        """The file with what was said of it."""
        data = self.cleaned_data
        return Upload(
            name=clean(data["file"].name, 200) or "labels",
            content=data["file"].read(),
            format=data["format"],
            image=clean(data["image"], 500),
            images=data["images"].read() if data["images"] else b"",
            annotator=clean(data["annotator"], 120),
            adds_classes=data["adds_classes"],
        )


def _small(file: UploadedFile) -> UploadedFile:
    if (file.size or 0) > MOST_BYTES:
        raise forms.ValidationError(
            f"The file is larger than {MOST_BYTES // 2**20} MiB: use “manage.py import_labels” or split it."
        )
    return file


@require_safe
def exports(request: HttpRequest, pk: int) -> HttpResponse:
    """The formats that a study's labels can leave in."""
    study = access.led_study_for(request.user, pk)
    refuse_results(study)
    missing = {} if has_outlines(study) else {"ome_zarr": NO_OUTLINES}
    rows = [{"is": row, "missing": missing.get(row.key, "")} for row in EXPORTS.values()]
    return render(request, "labeling/exports.html", {"study": study, "exports": rows})


@require_safe
def answers(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Every answer of the study as CSV, one row per answer."""
    return download(request, pk, "answers")


@require_safe
def download(request: HttpRequest, pk: int, kind: str) -> StreamingHttpResponse:
    """A study's labels as a file, sent while it is made."""
    study = access.led_study_for(request.user, pk)
    refuse_results(study)
    if kind not in EXPORTS:
        raise Http404("There is no such format.")
    export = EXPORTS[kind]
    response = StreamingHttpResponse(export.pieces(study), content_type=export.media_type)
    response["Content-Disposition"] = f'attachment; filename="study-{study.pk}-{kind}{export.ending}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest, pk: int) -> HttpResponse:
    """The form for a file of labels, what was imported before, and, once a file is there, what it would bring."""
    study = access.led_study_for(request.user, pk)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload = form.upload()
        try:
            made = plan(study, upload)
        except FileRefused as error:
            form.add_error("file", str(error))
        else:
            keep(study, upload)
            return render(request, "labeling/import_plan.html", _described(study, made))
    stands = standing_counts(study)
    past = [_past(row, stands.get(row.pk, 0)) for row in study.label_imports.select_related("by")]
    context = {"study": study, "form": form, "imports": past}
    return render(request, "labeling/imports.html", context, status=400 if form.errors else 200)


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Take the labels of a file that was looked at."""
    study = access.led_study_for(request.user, pk)
    upload = waiting(study, request.POST.get("sha256", ""))
    if upload is None:
        messages.error(request, "The file is no longer there: choose it again. Nothing was stored.")
        return redirect("labeling:imports", pk)
    try:
        made = take(study, upload, request.user)
    except (FileRefused, StudyRefused, ValueError) as error:
        messages.error(request, f"{error} Nothing was stored.")
    else:
        forget(study, upload.sha256)
        messages.success(request, f"{len(made.new):,} labels of “{upload.name}” are answers of this study now.")
    return redirect("labeling:imports", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def take_back(request: HttpRequest, pk: int, import_pk: int) -> HttpResponse:
    """Ask, and on POST withdraw what an import brought and still stands."""
    study = access.led_study_for(request.user, pk)
    row = get_object_or_404(LabelImport.objects.select_related("study"), pk=import_pk, study=study)
    if request.method != "POST":
        return _ask_to_take_back(request, study, row)
    left = withdraw(row, request.user)
    if left:
        said = f"This takes longer: of “{row.name}”, {_answers(left)} still to be withdrawn. Press the button again."
        messages.warning(request, said)
        return redirect("labeling:take-back-import", pk, import_pk)
    messages.success(request, f"“{row.name}” is taken back: nothing that it brought counts any more.")
    return redirect("labeling:imports", pk)


def _ask_to_take_back(request: HttpRequest, study: Study, row: LabelImport) -> HttpResponse:
    standing = standing_of(row).count()
    return confirm_first(
        request,
        study,
        title=f"Take back “{row.name}”?",
        said=f"Of what this file brought, {_answers(standing)} to be withdrawn, one by one.",
        kept=(
            "Nothing is deleted: the answers stay in the export and in the audit trail, as withdrawn.",
            "What somebody has put in the place of an imported answer stays and counts.",
            "Classes that were added for the file stay, and so do the names that it brought.",
            "Crops that lack reads without these answers are asked again. The file can be imported anew.",
        ),
        act="Take it back",
        back=("labeling:imports", "Import labels"),
    )


def _answers(count: int) -> str:
    return "1 answer that stands is" if count == 1 else f"{count:,} answers that stand are"


def _described(study: Study, made: Plan) -> dict[str, Any]:
    nobody = made.upload.annotator or LabelImport.Format(made.kind).label
    return {
        "study": study,
        "upload": made.upload,
        "format": LabelImport.Format(made.kind).label,
        "nobody": nobody,
        "unnamed_as": next((row["user"] for row in made.people if row["name"] == nobody), pseudonym(nobody)),
        "strangers": any(not row["member"] for row in made.people),
        "report": made.report(),
        "left_out": [(count, WORDS[code]) for code, count in made.counts.items()],
        "problems": made.problems[:SHOWN],
        "more": max(0, len(made.problems) - SHOWN),
        "is_used": len(made.new) > 0,
    }


def _past(row: LabelImport, stands: int) -> dict[str, Any]:
    """An import for the list: the latest report, in words."""
    left_out = row.report.get("left_out", {})
    problems = row.report.get("problems", [])
    return {
        "pk": row.pk,
        "name": row.name,
        "stands": stands,
        "taken_back_at": row.taken_back_at,
        "format": row.get_format_display(),
        "by": row.by,
        "at": row.created_at,
        "taken": row.report.get("taken", 0) + row.report.get("already", 0),
        "left_out": [(count, WORDS.get(code, code)) for code, count in left_out.items()],
        "problems": problems[:SHOWN],
        "more": max(0, sum(left_out.values()) - SHOWN),
    }
