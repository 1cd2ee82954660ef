"""Addresses of the inference API."""

from rest_framework.routers import SimpleRouter

from inference.api.views import RunViewSet

app_name = "inference-api"
router = SimpleRouter(use_regex_path=False)
router.register("runs", RunViewSet, basename="run")
urlpatterns = router.urls
