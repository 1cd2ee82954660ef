"""One machine, no service to install: SQLite, the embedded broker, a local folder."""

from config import environment as env
from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_FOLDER

DEBUG = env.read_bool("PARFOCAL_DEBUG", False)
SECRET_KEY = env.embedded_secret(DATA_FOLDER)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.read_list("PARFOCAL_HOSTS")]
