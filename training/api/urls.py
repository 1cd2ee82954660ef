"""Addresses of the training API."""

from rest_framework.routers import SimpleRouter

from training.api.views import ModelVersionViewSet, TrainingRunViewSet

app_name = "training-api"
router = SimpleRouter(use_regex_path=False)
router.register("training-runs", TrainingRunViewSet, basename="training-run")
router.register("models", ModelVersionViewSet, basename="model")
urlpatterns = router.urls
