"""Settings come from the environment, and what is not understood is refused by name."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), (" on ", True), ("0", False), ("NO", False)])
def test_on_and_off_words_are_read(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("PARFOCAL_DEBUG", text)
    assert environment.read_bool("PARFOCAL_DEBUG", not value) is value


@pytest.mark.parametrize("text", ["", "treu", "2", "none"])
def test_a_typo_cannot_switch_a_guard(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PARFOCAL_SSL_REDIRECT", text)
    with pytest.raises(ImproperlyConfigured, match=r"PARFOCAL_SSL_REDIRECT.*write true or false"):
        environment.read_bool("PARFOCAL_SSL_REDIRECT", True)


@pytest.mark.parametrize("text", ["-1", "eleven", "1e3", "11", "²"])
def test_a_number_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PARFOCAL_N", text)
    with pytest.raises(ImproperlyConfigured, match=r"PARFOCAL_N.*from 0 to 10"):
        environment.read_int("PARFOCAL_N", 5, 0, 10)


@pytest.mark.parametrize("text", ["", "short", "x" * 39])
def test_production_takes_no_short_secret(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PARFOCAL_SECRET_KEY", text)
    with pytest.raises(ImproperlyConfigured, match=r"PARFOCAL_SECRET_KEY"):
        environment.required_secret("PARFOCAL_SECRET_KEY")


def test_the_embedded_secret_is_private_whole_and_stays(tmp_path: Path) -> None:
    key = environment.embedded_secret(tmp_path)
    assert len(key) > 50 and environment.embedded_secret(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_without_settings_the_database_is_a_file_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    found = environment.database(tmp_path)
    assert Path(found["NAME"]).parent == tmp_path
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]


def test_a_database_url_names_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://lab:pass@db:5433/parfocal")
    found = environment.database(tmp_path)
    assert (found["ENGINE"], found["HOST"], found["PORT"]) == ("django.db.backends.postgresql", "db", 5433)


def test_the_broker_of_a_running_site_is_found_by_its_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PARFOCAL_BROKER_URL", raising=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "broker_url").write_text("redis+socket:///short/v.sock\n")
    assert environment.broker_url(tmp_path) == "redis+socket:///short/v.sock"
    monkeypatch.setenv("PARFOCAL_BROKER_URL", "redis://elsewhere/0")
    assert environment.broker_url(tmp_path) == "redis://elsewhere/0"
