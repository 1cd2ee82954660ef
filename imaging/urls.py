"""Addresses of the imaging pages."""

from django.urls import path

from imaging import views

app_name = "imaging"
urlpatterns = [
    path("experiments/", views.experiments, name="experiments"),
    path("experiments/<int:pk>/", views.experiment, name="experiment"),
    path("experiments/<int:pk>/revisions/<int:number>/", views.revision, name="revision"),
    path("images/<int:pk>/thumbnail.png", views.thumbnail, name="thumbnail"),
]
