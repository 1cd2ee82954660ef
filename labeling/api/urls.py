"""Addresses of the labeling API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from labeling.api.crops import CommentsView, ExamplesView
from labeling.api.preferences import PreferencesView
from labeling.api.views import StudyViewSet

app_name = "labeling-api"
router = SimpleRouter(use_regex_path=False)
router.register("studies", StudyViewSet, basename="study")
urlpatterns = [
    path("preferences/", PreferencesView.as_view(), name="preferences"),
    path("studies/<int:pk>/crops/<int:crop>/comments/", CommentsView.as_view(), name="comments"),
    path("studies/<int:pk>/examples/", ExamplesView.as_view(), name="examples"),
    *router.urls,
]
