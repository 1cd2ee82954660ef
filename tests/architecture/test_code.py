"""The rules of the house that can be read off the code."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class
from django.db import models

PROJECT = Path(__file__).resolve().parents[2]
APPS = ("audit", "imaging", "labeling", "training", "inference")
SOURCES = [path for name in (*APPS, "config") for path in sorted((PROJECT / name).rglob("*.py"))]
READERS = {"read_text", "read_bool", "read_int", "read_list", "required_secret", "db_url"}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def named(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_every_setting_that_is_read_from_the_environment_is_described() -> None:
    described = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (PROJECT / "docs" / "settings.md").read_text()))
    read = {
        call.args[0].value
        for path in (PROJECT / "config").rglob("*.py")
        for call in calls(path)
        if named(call) in READERS and call.args and isinstance(call.args[0], ast.Constant)
    }
    assert len(read) > 8
    assert read <= described, f"describe in docs/settings.md: {sorted(read - described)}"
    assert {name for name in described if name.startswith("PARFOCAL_")} <= read, "docs/settings.md describes too much"


def test_only_the_settings_package_reads_the_environment() -> None:
    texts = {
        path: path.read_text() for path in SOURCES if path.parts[-2] != "config" and "settings" not in path.parts
    }
    reading = [path.name for path, text in texts.items() if re.search(r"os\.environ(?!\.setdefault)|getenv", text)]
    assert reading == []


def tasks() -> Iterator[object]:
    from celery import current_app

    for name in APPS:
        if (PROJECT / name / "tasks.py").exists():
            importlib.import_module(f"{name}.tasks")
    return (task for name, task in sorted(current_app.tasks.items()) if name.split(".")[0] in APPS)


def test_every_task_ends_in_time_has_a_telling_name_and_takes_one_number_or_nothing() -> None:
    found = list(tasks())
    assert len(found) >= 4
    for task in found:
        assert 0 < (task.soft_time_limit or 0) < (task.time_limit or 0), task.name
        assert task.name.endswith("_task"), task.name
        parameters = list(inspect.signature(task.run).parameters.values())
        assert [parameter.annotation for parameter in parameters] in ([], [int]), task.name


def test_no_task_outlasts_the_time_after_which_it_is_delivered_again(settings: object) -> None:
    longest = max(task.time_limit for task in tasks())
    assert longest < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]


def test_every_queue_that_tasks_are_sent_to_has_a_worker(settings: object, tmp_path: Path) -> None:
    from config.broker import EmbeddedBroker
    from config.site import children

    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} | {settings.CELERY_TASK_DEFAULT_QUEUE}
    words = {word for child in children(EmbeddedBroker(tmp_path, tmp_path), "x", 1) for word in child.command}
    served = {queue for word in words for queue in word.split(",")}
    assert queues <= served
    assert set(settings.CELERY_TASK_ROUTES) <= {task.name for task in tasks()}


def test_what_beat_sends_exists() -> None:
    from config.celery import app

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= {task.name for task in tasks()}


def test_what_the_loop_sends_exists() -> None:
    from inference import loop

    sent = {value for name, value in vars(loop).items() if name.isupper()}
    assert len(sent) >= 2 and sent <= {task.name for task in tasks()}


def test_every_command_says_what_it_does() -> None:
    for name, app in get_commands().items():
        if app in (*APPS, "config"):
            command = load_command_class(app, name)
            assert (type(command).__doc__ or "").strip(), name
            assert command.help.strip().endswith("."), name


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_constraint_says_why() -> None:
    """A comment stands above each constraint, or above the group that it is made in."""
    paths = [path for path in SOURCES if path.stem == "models" or path.parent.name == "models"]
    assert {path.relative_to(PROJECT).parts[0] for path in paths} >= set(APPS)
    for path in paths:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"\s+(\*\(|models\.(Check|Unique)Constraint\()", line):
                above = next(text for text in reversed(lines[:number]) if text.strip())
                is_inner = above.strip() == "*("
                assert is_inner or above.strip().startswith("#"), f"{path} line {number + 1}"


def test_every_table_says_what_identifies_a_row() -> None:
    silent = [
        model.__name__
        for name in APPS
        for model in apps.get_app_config(name).get_models()
        if not model._meta.auto_created and not re.search("(?i)identified", inspect.getdoc(model) or "")
    ]
    assert silent == []


def test_rows_that_tell_what_happened_cannot_be_deleted_with_what_they_tell_of() -> None:
    from inference.models import InferenceRun
    from labeling.models import Annotation, AnnotationLabel
    from training.models import LabelSnapshot, ModelVersion, Promotion

    for model in (Annotation, AnnotationLabel, ModelVersion, LabelSnapshot, Promotion, InferenceRun):
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and field.name != "requested_by":
                assert field.remote_field.on_delete is models.PROTECT, f"{model.__name__}.{field.name}"


TEMPLATES = sorted((PROJECT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=[str(path.relative_to(PROJECT / "templates")) for path in TEMPLATES])
def test_templates_hold_no_inline_script_or_style_and_mark_nothing_safe(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:", text)
    assert not re.search(r"\|\s*safe\b|autoescape\s+off|mark_safe", text)
    assert not re.search(r"""(?:src|href)=["']https?://""", text)


def test_no_python_marks_text_as_safe_or_unpickles_or_builds_sql() -> None:
    forbidden = re.compile(r"mark_safe|pickle\.load|torch\.load\(|allow_pickle=True|yaml\.load\(|\.extra\(|RawSQL")
    assert [path.name for path in SOURCES if forbidden.search(path.read_text())] == []


def test_files_and_functions_stay_short_enough_to_read() -> None:
    long = []
    for path in SOURCES:
        if "migrations" in path.parts:
            continue
        text = path.read_text()
        if len(text.splitlines()) > 400:
            long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > 60:
                long.append(f"{path.name}:{node.name}")
    assert long == []


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_handed_on(node: ast.stmt, package: str) -> bool:
    """Whether the statement only hands on names of the package's own files."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)] == ["__all__"]
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}.")


def test_package_files_are_empty_or_a_docstring() -> None:
    """But for `models`: Django looks for an app's tables there, so a package of that name hands them on."""
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name != "config":
            package = ".".join(path.parent.relative_to(PROJECT).parts)
            hands_on = path.parent.name == "models"
            for node in ast.parse(path.read_text()).body:
                assert is_docstring(node) or (hands_on and is_handed_on(node, package)), path
