"""Every address of the site, walked as nobody, as a stranger, and as those who may see it."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from imaging.models import Crop, Experiment, Image, Revision
from inference.models import InferenceRun
from labeling.models import (
    ClassExample,
    DisagreementSession,
    Invitation,
    LabelClass,
    LabelImport,
    Membership,
    Study,
)
from labeling.services.examples import add_example
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.invitations import invite
from labeling.services.sessions import start_session
from labeling.worker.agreement import make_report
from tests.factories import (
    add_reader,
    answer,
    answer_all,
    crops_of,
    fill_queue,
    kind_of,
    make_experiment,
    make_model,
    make_run,
    make_study,
    make_user,
)
from training.models import ModelVersion, TrainingRun
from training.services.models import request_training

SECRET = "Zanzibar"
METHODS = ("get", "post", "put", "patch", "delete")
# Open to everybody by design: to log in, and to learn whether the process answers.
# The page behind an invitation is open to whoever holds its secret: tests/labeling/test_invitations.py.
OPEN = {"login", "alive", "join"}
# For whoever is logged in, and about nobody else's things: the first page, the API's description, one's own session.
OWN = {
    "home",
    "login",
    "logout",
    "change-password",
    "alive",
    "create-token",
    "revoke-token",
    "schema",
    "api-docs",
    "preferences",
    "join",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One address with its parameters filled in."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class World:
    """One of everything, in a study that Alice leads, Bob reads in, and Charlie has nothing to do with."""

    study: Study
    alice: Any
    bob: Any
    charlie: Any
    routes: list[Route]


@pytest.fixture
def world(db: None, data_folder: Path, tmp_path: Path) -> World:
    experiment = make_experiment(tmp_path, f"{SECRET} plate", crops=24)
    alice = make_user("alice")
    study = make_study(alice, experiment, name=f"{SECRET} study")
    bob = add_reader(study, "bob")
    answer_all(study, bob, crops_of(experiment))
    model = make_model(study, alice)
    make_run(experiment, model, alice)
    request_training(study, alice, {})
    fill_queue(study, crops_of(experiment))
    make_report(study.pk)
    Revision.objects.create(experiment=experiment, number=1, source=str(tmp_path), report={"total": {}, "images": []})
    add_example(study.classes.first(), alice, crops_of(experiment)[0].pk, f"typical {SECRET}")
    invite(study, alice, Membership.Role.ANNOTATOR, f"Dr {SECRET}")
    take(study, Upload(f"{SECRET}.csv", f"crop,class\n{crops_of(experiment)[0].key},disc".encode()), alice)
    disagree(study, alice, crops_of(experiment)[0])
    return World(study, alice, bob, make_user("charlie"), list(routes()))


def disagree(study: Study, lead: Any, crop: Crop) -> None:
    """A second reader says of the crop what the first did not, and the lead begins to talk it over."""
    dora, classes = add_reader(study, "dora"), list(study.classes.order_by("position"))
    answer(study, dora, crop, "ring" if kind_of(crop) == "disc" else "disc")
    start_session(study, lead, *classes[:2])


def routes() -> Iterator[Route]:
    """Every address that the site knows, in order; one with a parameter that nobody filled in fails here."""
    for prefix, pattern in _walk(get_resolver().url_patterns, ""):
        path = re.sub(r"\^?\(\?P<app_label>[^)]*\)/\$", "labeling/", prefix).replace("(?P<url>.*)$", "nowhere")
        path = re.sub(r"<(?:(\w+):)?(\w+)>", lambda match, path=path: str(_value(match[2], path)), path)
        assert not re.search(r"[<>()^$]", path), f"fill in the parameters of {prefix} in this test"
        yield Route(pattern.name or "", f"/{path}")


def _walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        text = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _walk(pattern.url_patterns, text)
        else:
            yield text, pattern


def _value(parameter: str, path: str) -> object:
    """An object that exists for each parameter, chosen by the noun that stands before it."""
    noun = path.removeprefix("api/v1/").split("/")[0]
    if noun == "admin":
        return 1
    models = {
        "studies": Study, "experiments": Experiment, "images": Image, "training": TrainingRun,
        "training-runs": TrainingRun, "models": ModelVersion, "runs": InferenceRun,
    }  # fmt: skip
    if parameter == "pk":
        return models[noun].objects.order_by("-id" if noun.startswith("training") else "id").first().pk
    return OTHERS[parameter]()


# The second class and the second member, so that their numbers differ from the study's.
OTHERS: dict[str, Callable[[], object]] = {
    "crop": lambda: Crop.objects.first().pk,
    "crop_pk": lambda: Crop.objects.first().pk,
    "class_pk": lambda: LabelClass.objects.order_by("id")[1].pk,
    "user_pk": lambda: Membership.objects.get(user__username="bob").user_id,
    "member_pk": lambda: Membership.objects.get(user__username="bob").pk,
    "example_pk": lambda: ClassExample.objects.get().pk,
    "import_pk": lambda: LabelImport.objects.get().pk,
    "key": lambda: "headline",
    "reader": lambda: Membership.objects.get(user__username="bob").user_id,
    "session_pk": lambda: DisagreementSession.objects.get().pk,
    "invitation_pk": lambda: Invitation.objects.get().pk,
    "secret": lambda: "nobody-was-sent-this",
    "name": lambda: "objects.csv",
    "number": lambda: Revision.objects.get().number,
    "level": lambda: 0,
    "column": lambda: 0,
    "row": lambda: 0,
    "kind": lambda: "consensus",
    "table": lambda: "pairs",
}


def body() -> dict[str, Any]:
    """Everything that any route asks for, all of it valid."""
    return {
        "study": Study.objects.get().pk, "experiment": Experiment.objects.get().pk,
        "model": str(ModelVersion.objects.get().pk), "client_id": str(uuid4()), "crop": Crop.objects.first().pk,
        "answer": "not_sure", "classes": [], "answered_at": timezone.now().isoformat(), "reason": "because",
        "a": LabelClass.objects.order_by("id")[0].pk, "b": LabelClass.objects.order_by("id")[1].pk,
        "choice": "not_sure", "do": "notes", "notes": "open rims", "decision": str(uuid4()),
        "role": "annotator", "days": 7, "text": "Look closely.", "seen": 1,
        "part-TOTAL_FORMS": 2, "part-INITIAL_FORMS": 0, "part-0-name": "thin", "part-1-name": "thick",
    }  # fmt: skip


def ask(client: Client, method: str, route: Route) -> Any:
    if route.path.startswith("/api/") and method != "get":
        return getattr(client, method)(route.path, json.dumps(body()), content_type="application/json")
    return getattr(client, method)(route.path, body() if method == "post" else None)


def text_of(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode("utf-8", errors="replace")


def state() -> dict[str, Any]:
    """Every row of every table that tells of work or people's answers."""
    names = ("audit", "imaging", "labeling", "training", "inference")
    return {
        str(model): list(model.objects.values()) for name in names for model in apps.get_app_config(name).get_models()
    }


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def is_login(response: Any) -> bool:
    return response.status_code == 302 and "/login/" in response["Location"]


def test_nobody_gets_anything_without_logging_in(world: World) -> None:
    before, wrong = state(), []
    for route in world.routes:
        for method in METHODS:
            response = ask(Client(), method, route)
            refused = is_login(response) or response.status_code in (401, 403, 405)
            if route.name not in OPEN and not refused:
                wrong.append((method, route.path, response.status_code))
            assert SECRET not in text_of(response), route
    assert wrong == []
    assert state() == before


def test_a_stranger_gets_no_data_and_changes_nothing(world: World) -> None:
    before, wrong = state(), []
    client_once = client_of(world.charlie)
    for route in world.routes:
        client = client_of(world.charlie) if route.name in OWN else client_once
        for method in METHODS:
            response = ask(client, method, route)
            text = text_of(response)
            refused = is_login(response) or response.status_code in (403, 404, 405)
            # The study of a new run is checked as a field, and answers as if there were no such study.
            refused |= (route.name, response.status_code) == ("training-run-list", 400)
            # A list is open to everybody and empty for a stranger; no page about one thing is.
            is_empty = response.status_code == 200 and not re.search(r"/\d+/", route.path)
            if not refused and not is_empty and route.name not in OWN:
                wrong.append((method, route.path, response.status_code))
            if SECRET in text or ModelVersion.objects.get().digest[:8] in text:
                wrong.append((method, route.path, "shows data"))
    assert wrong == []
    assert state() == before


def test_a_stranger_cannot_tell_what_exists_from_what_does_not(world: World) -> None:
    client = client_of(world.charlie)
    for route in world.routes:
        if not route.path.startswith("/admin") and re.search(r"/\d+", route.path):
            missing = Route(route.name, re.sub(r"/\d+", "/999999", route.path, count=1))
            assert ask(client, "get", route).status_code == ask(client, "get", missing).status_code, route
    for name, field in (("training-api:training-run-list", "study"), ("inference-api:run-list", "experiment")):
        replies = [
            client.post(reverse(name), body() | {field: number}, content_type="application/json")
            for number in (body()[field], 999999)
        ]
        assert replies[0].status_code == replies[1].status_code, name


def test_a_viewer_of_an_experiment_neither_learns_of_nor_uses_models_of_others(world: World) -> None:
    experiment = Experiment.objects.get()
    experiment.viewers.add(world.charlie)
    for model in (str(ModelVersion.objects.get().pk), "999999", ""):
        given = {"experiment": experiment.pk, "model": model}
        response = client_of(world.charlie).post("/api/v1/runs/", given, content_type="application/json")
        assert response.status_code == (400 if model else 201)
        assert f"{SECRET} study" not in text_of(response)
    assert not InferenceRun.objects.filter(requested_by=world.charlie, model__isnull=False).exists()


LEADS_ONLY = (
    # Before the classes change: what is disputed between them is so no more when one is split.
    ("get", "/studies/{study}/discuss/"),
    ("post", "/studies/{study}/discuss/{crop}/comment/"),
    ("post", "/studies/{study}/discuss/{crop}/decide/"),
    ("post", "/studies/{study}/sessions/"),
    ("get", "/studies/{study}/sessions/{session}/"),
    ("post", "/studies/{study}/sessions/{session}/"),
    ("get", "/api/v1/studies/{study}/confusion/"),
    ("get", "/api/v1/studies/{study}/disputed/"),
    ("get", "/api/v1/studies/{study}/readers/"),
    ("get", "/api/v1/studies/{study}/readers/{reader}/"),
    ("get", "/api/v1/studies/{study}/progress/"),
    ("post", "/api/v1/studies/{study}/crops/{crop}/decision/"),
    ("get", "/studies/{study}/mine/?reader={reader}"),
    ("get", "/studies/{study}/answers.csv"),
    ("get", "/studies/{study}/export/"),
    ("get", "/studies/{study}/export/consensus/"),
    ("get", "/studies/{study}/import/"),
    ("post", "/studies/{study}/import/confirm/"),
    ("post", "/studies/{study}/import/{label_import}/take-back/"),
    ("get", "/studies/{study}/comments/"),
    ("post", "/studies/{study}/settings/archive/"),
    ("post", "/studies/{study}/settings/restore/"),
    ("get", "/studies/{study}/settings/"),
    ("get", "/studies/{study}/crops/{crop}/field/"),
    ("get", "/studies/{study}/stream/"),
    ("post", "/studies/{study}/settings/classes/"),
    ("post", "/studies/{study}/settings/classes/merge/"),
    ("post", "/studies/{study}/settings/classes/{label_class}/"),
    ("get", "/studies/{study}/settings/classes/"),
    ("get", "/studies/{study}/settings/classes/{label_class}/"),
    ("get", "/studies/{study}/settings/members/"),
    ("get", "/studies/{study}/progress/"),
    ("get", "/studies/{study}/progress.csv"),
    ("get", "/studies/{study}/readers/{reader}/"),
    ("post", "/studies/{study}/readers/{reader}/leave-out/"),
    ("post", "/studies/{study}/readers/{reader}/put-back/"),
    ("post", "/studies/{study}/settings/classes/{label_class}/split/"),
    ("post", "/studies/{study}/settings/examples/"),
    ("post", "/studies/{study}/settings/examples/{example}/remove/"),
    ("post", "/studies/{study}/settings/members/{member}/duties/"),
    ("post", "/studies/{study}/settings/invitations/"),
    ("post", "/studies/{study}/settings/invitations/{invitation}/revoke/"),
    ("post", "/studies/{study}/guidelines/"),
    ("post", "/studies/{study}/settings/members/"),
    ("post", "/studies/{study}/settings/members/{member}/remove/"),
    ("post", "/studies/{study}/ambiguous/{crop}/reopen/"),
    ("post", "/studies/{study}/stream/compute/"),
    ("get", "/studies/{study}/embedding/"),
    ("post", "/studies/{study}/embedding/again/"),
    ("post", "/studies/{study}/embedding/stop/"),
    ("post", "/studies/{study}/grid/map/stop/"),
    ("get", "/api/v1/studies/{study}/agreement/"),
    ("get", "/api/v1/studies/{study}/agreement/pairs.csv"),
    ("post", "/studies/{study}/models/train/"),
    ("post", "/training/{training}/cancel/"),
    ("post", "/models/{model}/go-live/"),
    ("post", "/api/v1/training-runs/"),
    ("post", "/api/v1/training-runs/{training}/cancel/"),
    ("post", "/api/v1/models/{model}/promote/"),
    ("post", "/api/v1/runs/"),
    ("post", "/api/v1/runs/{run}/cancel/"),
)


def test_what_only_leads_may_do_is_refused_to_annotators(world: World) -> None:
    numbers = {
        "study": world.study.pk, "training": TrainingRun.objects.first().pk,
        "model": ModelVersion.objects.get().pk, "run": InferenceRun.objects.get().pk,
        "reader": world.alice.pk,
        "label_class": OTHERS["class_pk"](), "member": OTHERS["member_pk"](), "crop": OTHERS["crop_pk"](),
        "example": OTHERS["example_pk"](), "invitation": OTHERS["invitation_pk"](),
        "label_import": OTHERS["import_pk"](), "session": OTHERS["session_pk"](),
    }  # fmt: skip
    wanted = [(method, Route("", path.format(**numbers))) for method, path in LEADS_ONLY]
    bob, alice, before = client_of(world.bob), client_of(world.alice), state()
    assert {ask(bob, method, route).status_code for method, route in wanted} == {403}
    assert state() == before
    assert [(method, route) for method, route in wanted if ask(alice, method, route).status_code >= 400] == []


def test_models_of_a_blind_study_are_shown_to_its_leads_alone(world: World) -> None:
    model = ModelVersion.objects.get()
    pages = [f"/studies/{world.study.pk}/models/", f"/models/{model.pk}/", f"/api/v1/models/{model.pk}/"]
    pages.append(f"/api/v1/training-runs/{model.run_id}/")
    around = ["/", f"/studies/{world.study.pk}/"]
    for is_blind in (False, True):
        Study.objects.filter(pk=world.study.pk).update(is_blind=is_blind)
        for user, may in ((world.alice, True), (world.bob, not is_blind)):
            client = client_of(user)
            replies = [client.get(address) for address in pages]
            assert [reply.status_code for reply in replies] == [200 if may else 403] * 4
            assert may or all("This study is blind" in text_of(reply) for reply in replies)
            assert client.get("/api/v1/models/").json()["count"] == may
            assert client.get("/api/v1/training-runs/").json()["count"] == (TrainingRun.objects.count() if may else 0)
            assert [pages[0] in text_of(client.get(address)) for address in around] == [may, may]


ASK_FOR_MORE = {"grid", "grid-pixels", "grid-map"}


def test_those_who_may_see_it_get_every_page_and_no_stored_path(world: World, tmp_path: Path) -> None:
    hidden = (str(tmp_path), str(settings.DATA_FOLDER), tmp_path.name)
    seen = 0
    client = client_of(world.alice)
    for route in world.routes:
        response = ask(client, "get", route)
        # This study has no protocol, and therefore no report of one.
        without = ("revoke-token", "join", "protocol", "protocol-table")
        elsewhere = route.path.startswith("/admin") or route.name in without
        # The queue of this world was never ranked, and these say so; with nothing named, there is nothing to send.
        elsewhere |= response.status_code == 400 and route.path.startswith("/api/") and route.name in ASK_FOR_MORE
        assert response.status_code in (200, 405) or elsewhere, route
        text = text_of(response)
        assert not any(path in text for path in hidden), route
        seen += SECRET in text
    assert seen > 10


def test_a_token_opens_the_api_for_its_owner_until_it_is_revoked(world: World) -> None:
    token = client_of(world.bob).post("/api/v1/tokens/").json()["token"]
    program = Client(headers={"Authorization": f"Token {token}"})
    assert program.get("/api/v1/studies/").json()["count"] == 1
    assert program.post("/api/v1/tokens/revoke/").status_code == 204
    assert program.get("/api/v1/studies/").status_code in (401, 403)


def test_htmx_is_told_of_a_session_that_is_over_and_browsers_are_led_to_the_log_in(client: Client) -> None:
    for address in ("/studies/1/mine/", "/runs/1/", "/studies/1/stream/", "/studies/1/embedding/"):
        assert client.get(address, headers={"HX-Request": "true"}).status_code == 401
        assert is_login(client.get(address))
    change = reverse("labeling:mine-change", args=[1, 1])
    assert client.post(change, headers={"HX-Request": "true"}).status_code == 401
