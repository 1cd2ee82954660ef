"""Addresses of the labeling pages."""

from django.urls import path

from labeling.views import (
    ambiguous,
    classes,
    exchange,
    field,
    guidelines,
    join,
    mine,
    people,
    readers,
    settings,
    study,
)

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
    path("studies/<int:pk>/answers.csv", exchange.answers, name="export"),
    path("studies/<int:pk>/export/", exchange.exports, name="exports"),
    path("studies/<int:pk>/export/<slug:kind>/", exchange.download, name="download"),
    path("studies/<int:pk>/import/", exchange.imports, name="imports"),
    path("studies/<int:pk>/import/confirm/", exchange.confirm, name="confirm-import"),
    path("studies/<int:pk>/settings/", settings.change, name="settings"),
    path("studies/<int:pk>/settings/classes/", classes.class_list, name="classes"),
    path("studies/<int:pk>/settings/classes/merge/", classes.merge_class, name="merge-class"),
    path("studies/<int:pk>/settings/classes/<int:class_pk>/", classes.class_page, name="class"),
    path("studies/<int:pk>/settings/classes/<int:class_pk>/split/", classes.split_class, name="split-class"),
    path("studies/<int:pk>/settings/examples/", classes.set_example, name="set-example"),
    path("studies/<int:pk>/settings/examples/<int:example_pk>/remove/", classes.drop_example, name="drop-example"),
    path("studies/<int:pk>/settings/members/", people.member_list, name="members"),
    path("studies/<int:pk>/settings/members/<int:member_pk>/duties/", people.set_duties, name="set-duties"),
    path("studies/<int:pk>/settings/members/<int:member_pk>/remove/", people.remove_member, name="remove-member"),
    path("studies/<int:pk>/settings/invitations/", people.invite, name="invite"),
    path("studies/<int:pk>/settings/invitations/<int:invitation_pk>/revoke/", people.revoke, name="revoke"),
    path("studies/<int:pk>/readers/<int:user_pk>/", readers.reader, name="reader"),
    path("studies/<int:pk>/readers/<int:user_pk>/leave-out/", readers.leave_out, name="leave-out-reader"),
    path("studies/<int:pk>/readers/<int:user_pk>/put-back/", readers.put_back, name="put-back-reader"),
    path("studies/<int:pk>/guidelines/", guidelines.guidelines, name="guidelines"),
    path("join/<str:secret>/", join.join, name="join"),
    path("studies/<int:pk>/ambiguous/", ambiguous.ambiguous, name="ambiguous"),
    path("studies/<int:pk>/ambiguous/<int:crop_pk>/reopen/", ambiguous.reopen, name="reopen"),
]
