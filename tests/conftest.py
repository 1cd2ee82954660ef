"""What every test may use: the folder of real images, when it lies beside the checkout."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images with known answers; the test skips when it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real images (../shared/data) is not beside this checkout")
    return SHARED_DATA
