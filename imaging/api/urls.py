"""Addresses of the imaging API."""

from rest_framework.routers import SimpleRouter

from imaging.api.views import ExperimentViewSet

app_name = "imaging-api"
router = SimpleRouter(use_regex_path=False)
router.register("experiments", ExperimentViewSet, basename="experiment")
urlpatterns = router.urls
