"""Addresses of the labeling pages."""

from django.urls import path

from labeling import views

app_name = "labeling"
urlpatterns = [
    path("studies/<int:pk>/", views.overview, name="overview"),
    path("studies/<int:pk>/read/", views.room, name="room"),
    path("studies/<int:pk>/answers.csv", views.export, name="export"),
]
