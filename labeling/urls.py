"""Addresses of the labeling pages."""

from django.urls import path

from labeling.views import ambiguous, field, mine, settings, study

app_name = "labeling"
urlpatterns = [
    path("experiments/<int:pk>/called/", study.called, name="called"),
    path("studies/new/", settings.create, name="new"),
    path("studies/<int:pk>/", study.overview, name="overview"),
    path("studies/<int:pk>/read/", study.room, name="room"),
    path("studies/<int:pk>/mine/", mine.mine, name="mine"),
    path("studies/<int:pk>/mine/<int:crop_pk>/change/", mine.change, name="mine-change"),
    path("studies/<int:pk>/mine/<int:crop_pk>/back/", mine.take_back, name="mine-back"),
    path("studies/<int:pk>/mine/<int:crop_pk>/comment/", mine.comment, name="mine-comment"),
    path("studies/<int:pk>/crops/<int:crop_pk>/field/", field.field, name="field"),
    path("studies/<int:pk>/answers.csv", study.export, name="export"),
    path("studies/<int:pk>/settings/", settings.change, name="settings"),
    path("studies/<int:pk>/settings/classes/", settings.add_class, name="add-class"),
    path("studies/<int:pk>/settings/classes/merge/", settings.merge_class, name="merge-class"),
    path("studies/<int:pk>/settings/classes/<int:class_pk>/", settings.change_class, name="change-class"),
    path("studies/<int:pk>/settings/members/", settings.set_member, name="set-member"),
    path("studies/<int:pk>/settings/members/<int:member_pk>/remove/", settings.remove_member, name="remove-member"),
    path("studies/<int:pk>/ambiguous/", ambiguous.ambiguous, name="ambiguous"),
    path("studies/<int:pk>/ambiguous/<int:crop_pk>/reopen/", ambiguous.reopen, name="reopen"),
]
