"""What every test may use: a data folder of its own, and the folder of real images beside the checkout."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from hypothesis import settings as hypothesis_settings

from imaging.services.storage import shard
from labeling.services.discussion import _kept_table
from labeling.services.summary import _agreement

# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images with known answers; the test skips when it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real images (../shared/data) is not beside this checkout")
    return SHARED_DATA


@pytest.fixture
def data_folder(tmp_path: Path, settings: object) -> Iterator[Path]:
    """An empty data folder for this test alone, in place of the one that a test process shares."""
    folder = tmp_path / "data"
    folder.mkdir()
    settings.DATA_FOLDER = folder
    settings.MEDIA_ROOT = folder / "files"
    shard.cache_clear()
    yield folder
    shard.cache_clear()


@pytest.fixture(autouse=True)
def _forget_what_was_kept() -> Iterator[None]:
    # Rolled-back rows give their numbers to the next test's rows.
    yield
    _agreement.cache_clear()
    _kept_table.cache_clear()


def pytest_unconfigure() -> None:
    """Remove the folder that the settings of the test run made for this process."""
    shutil.rmtree(project_settings.DATA_FOLDER, ignore_errors=True)
