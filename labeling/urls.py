"""Addresses of the labeling pages."""

from django.urls import path

from labeling.views import study

app_name = "labeling"
urlpatterns = [
    path("studies/<int:pk>/", study.overview, name="overview"),
    path("studies/<int:pk>/read/", study.room, name="room"),
    path("studies/<int:pk>/answers.csv", study.export, name="export"),
]
