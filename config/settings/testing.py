"""Settings of the test run: a fresh folder, a fast password hash, tasks run where they are called."""

import os
import tempfile

# Set before anything reads it: each test process gets a folder of its own.
os.environ["PARFOCAL_DATA"] = tempfile.mkdtemp(prefix="parfocal-test-")
# Test processes run side by side, one for each core: more threads in each would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_FOLDER, MIDDLEWARE, STORAGES

DEBUG = False
SECRET_KEY = "only for tests, where nothing is secret"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
MEDIA_ROOT = DATA_FOLDER / "files"
AXES_ENABLED = False
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("axes.")]
# Lockout is off in tests, which fail to log in on purpose.
SILENCED_SYSTEM_CHECKS = ["axes.W002"]
