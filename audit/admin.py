"""The audit trail for administrators: to be read, never changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import AuditEvent, Checkpoint, Signature


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that only the application writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The trail, newest first."""

    list_display = ("sequence", "at", "actor", "action", "object_type", "object_id")
    list_filter = ("action", "object_type")
    search_fields = ("object_id", "actor")
    ordering = ("-sequence",)


admin.site.register([Checkpoint, Signature], ReadOnlyAdmin)
