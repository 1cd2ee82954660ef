"""Addresses of the labeling API."""

from rest_framework.routers import DefaultRouter

from labeling.api.views import StudyViewSet

app_name = "labeling-api"
router = DefaultRouter(use_regex_path=False)
router.register("studies", StudyViewSet, basename="study")
urlpatterns = router.urls
