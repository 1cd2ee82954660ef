"""Addresses of the labeling API."""

from rest_framework.routers import SimpleRouter

from labeling.api.views import StudyViewSet

app_name = "labeling-api"
router = SimpleRouter(use_regex_path=False)
router.register("studies", StudyViewSet, basename="study")
urlpatterns = router.urls
