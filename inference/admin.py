"""Runs and results for administrators: to be read, never changed."""

from django.contrib import admin

from audit.admin import ReadOnlyAdmin
from inference.models import InferenceRun, ObjectTable, PipelineVersion, SampleResult, StageRecord

admin.site.register([PipelineVersion, InferenceRun, StageRecord, ObjectTable, SampleResult], ReadOnlyAdmin)
