"""Addresses of the inference pages and the first page."""

from django.urls import path

from inference import views

app_name = "inference"
urlpatterns = [
    path("runs/", views.runs, name="runs"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("runs/<int:pk>/files/<str:name>", views.download, name="download"),
]
