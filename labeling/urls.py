"""Addresses of the labeling pages."""

from django.urls import path

from labeling.views import ambiguous, exchange, settings, study

app_name = "labeling"
urlpatterns = [
    path("experiments/<int:pk>/called/", study.called, name="called"),
    path("studies/new/", settings.create, name="new"),
    path("studies/<int:pk>/", study.overview, name="overview"),
    path("studies/<int:pk>/read/", study.room, name="room"),
    path("studies/<int:pk>/answers.csv", exchange.answers, name="export"),
    path("studies/<int:pk>/export/", exchange.exports, name="exports"),
    path("studies/<int:pk>/export/<slug:kind>/", exchange.download, name="download"),
    path("studies/<int:pk>/import/", exchange.imports, name="imports"),
    path("studies/<int:pk>/import/confirm/", exchange.confirm, name="confirm-import"),
    path("studies/<int:pk>/settings/", settings.change, name="settings"),
    path("studies/<int:pk>/settings/classes/", settings.add_class, name="add-class"),
    path("studies/<int:pk>/settings/classes/merge/", settings.merge_class, name="merge-class"),
    path("studies/<int:pk>/settings/classes/<int:class_pk>/", settings.change_class, name="change-class"),
    path("studies/<int:pk>/settings/members/", settings.set_member, name="set-member"),
    path("studies/<int:pk>/settings/members/<int:member_pk>/remove/", settings.remove_member, name="remove-member"),
    path("studies/<int:pk>/ambiguous/", ambiguous.ambiguous, name="ambiguous"),
    path("studies/<int:pk>/ambiguous/<int:crop_pk>/reopen/", ambiguous.reopen, name="reopen"),
]
