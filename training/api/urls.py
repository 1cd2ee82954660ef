"""Addresses of the training API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.api.crops import ExplanationView, SimilarView
from training.api.grid import GridMapStateView, GridMapView, GridPixelsView, GridView
from training.api.views import ModelVersionViewSet, TrainingRunViewSet

app_name = "training-api"
router = SimpleRouter(use_regex_path=False)
router.register("training-runs", TrainingRunViewSet, basename="training-run")
router.register("models", ModelVersionViewSet, basename="model")
urlpatterns = [
    path("studies/<int:pk>/grid/", GridView.as_view(), name="grid"),
    path("studies/<int:pk>/grid/pixels/", GridPixelsView.as_view(), name="grid-pixels"),
    path("studies/<int:pk>/grid/map/", GridMapView.as_view(), name="grid-map"),
    path("studies/<int:pk>/grid/map/state/", GridMapStateView.as_view(), name="grid-map-state"),
    path("studies/<int:pk>/crops/<int:crop>/explanation/", ExplanationView.as_view(), name="explanation"),
    path("studies/<int:pk>/crops/<int:crop>/similar/", SimilarView.as_view(), name="similar"),
    *router.urls,
]
