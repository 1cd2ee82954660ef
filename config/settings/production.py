"""Many machines: PostgreSQL, Redis and S3-compatible storage, named by environment variables alone."""

from config import environment as env
from config.settings.base import *  # noqa: F403
from config.settings.base import STORAGES

DEBUG = False
SECRET_KEY = env.required_secret("PARFOCAL_SECRET_KEY")
AUDIT_SECRET = env.required_secret("PARFOCAL_AUDIT_SECRET")
ALLOWED_HOSTS = env.read_list("PARFOCAL_HOSTS")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

SECURE_SSL_REDIRECT = env.read_bool("PARFOCAL_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.read_int("PARFOCAL_HSTS_SECONDS", 31536000, 0, 63072000)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

if env.read_text("PARFOCAL_S3_BUCKET"):
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env.read_text("PARFOCAL_S3_BUCKET"),
            "endpoint_url": env.read_text("PARFOCAL_S3_ENDPOINT") or None,
        },
    }
