"""Addresses of the labeling API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from labeling.api.agreement import AgreementTableView, AgreementView
from labeling.api.bulk import BulkUndoView, BulkView
from labeling.api.crops import CommentsView, GuideView
from labeling.api.discussion import ConfusionView, DecisionUndoView, DecisionView, DisputedView
from labeling.api.preferences import PreferencesView
from labeling.api.protocol import ProtocolCloseView, ProtocolLockView, ProtocolView
from labeling.api.readers import LeaveOutView, ProgressView, PutBackView, ReadersView, ReaderView
from labeling.api.views import StudyViewSet

app_name = "labeling-api"
router = SimpleRouter(use_regex_path=False)
router.register("studies", StudyViewSet, basename="study")
urlpatterns = [
    path("preferences/", PreferencesView.as_view(), name="preferences"),
    path("studies/<int:pk>/crops/<int:crop>/comments/", CommentsView.as_view(), name="comments"),
    path("studies/<int:pk>/confusion/", ConfusionView.as_view(), name="confusion"),
    path("studies/<int:pk>/disputed/", DisputedView.as_view(), name="disputed"),
    path("studies/<int:pk>/crops/<int:crop>/decision/", DecisionView.as_view(), name="decision"),
    path("studies/<int:pk>/crops/<int:crop>/decision/undo/", DecisionUndoView.as_view(), name="decision-undo"),
    path("studies/<int:pk>/guide/", GuideView.as_view(), name="guide"),
    path("studies/<int:pk>/protocol/", ProtocolView.as_view(), name="protocol"),
    path("studies/<int:pk>/protocol/lock/", ProtocolLockView.as_view(), name="protocol-lock"),
    path("studies/<int:pk>/protocol/close/", ProtocolCloseView.as_view(), name="protocol-close"),
    path("studies/<int:pk>/readers/", ReadersView.as_view(), name="readers"),
    path("studies/<int:pk>/readers/<int:reader>/", ReaderView.as_view(), name="reader"),
    path("studies/<int:pk>/readers/<int:reader>/leave-out/", LeaveOutView.as_view(), name="reader-leave-out"),
    path("studies/<int:pk>/readers/<int:reader>/put-back/", PutBackView.as_view(), name="reader-put-back"),
    path("studies/<int:pk>/progress/", ProgressView.as_view(), name="progress"),
    path("studies/<int:pk>/bulk/", BulkView.as_view(), name="study-bulk"),
    path("studies/<int:pk>/bulk/undo/", BulkUndoView.as_view(), name="study-bulk-undo"),
    path("studies/<int:pk>/agreement/", AgreementView.as_view(), name="study-agreement"),
    path("studies/<int:pk>/agreement/<slug:table>.csv", AgreementTableView.as_view(), name="study-agreement-table"),
    *router.urls,
]
