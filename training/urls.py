"""Addresses of the training pages."""

from django.urls import path

from training import views

app_name = "training"
urlpatterns = [
    path("studies/<int:pk>/models/", views.runs, name="runs"),
    path("studies/<int:pk>/models/train/", views.start, name="start"),
    path("studies/<int:pk>/models/readers/", views.model_reader, name="model-reader"),
    path("studies/<int:pk>/stream/", views.stream, name="stream"),
    path("studies/<int:pk>/stream/compute/", views.stream_compute, name="stream-compute"),
    path("studies/<int:pk>/crops/<int:crop>/", views.crop_page, name="crop"),
    path("studies/<int:pk>/crops/<int:crop>/similar/", views.similar, name="similar"),
    path("studies/<int:pk>/models/advice/", views.advice, name="advice"),
    path("studies/<int:pk>/embedding/", views.embedding, name="embedding"),
    path("studies/<int:pk>/embedding/again/", views.embed_once_more, name="embed-again"),
    path("studies/<int:pk>/embedding/stop/", views.embed_stop, name="embed-stop"),
    path("studies/<int:pk>/grid/", views.grid, name="grid"),
    path("studies/<int:pk>/grid/map/make/", views.grid_map, name="grid-map"),
    path("studies/<int:pk>/grid/map/stop/", views.grid_map_stop, name="grid-map-stop"),
    path("training/<int:pk>/cancel/", views.cancel, name="cancel"),
    path("models/<int:pk>/", views.report, name="report"),
    path("models/<int:pk>/go-live/", views.go_live, name="go-live"),
]
