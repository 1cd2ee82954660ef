"""A person's own account: the page where they change their password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from audit import services as audit

CHANGED = "Your password is changed. You stay logged in here; other browsers have to log in again."


@method_decorator(never_cache, name="dispatch")
class ChangePassword(PasswordChangeView):
    """The old password, the new one twice; whoever knows the old one may."""

    template_name = "registration/change_password.html"
    success_url = reverse_lazy("home")
    extra_context = {
        "password_help": "At least eight characters, not only digits, no common password, nothing like your name."
    }

    def form_valid(self, form: Any) -> HttpResponse:
        """Store it with its event, which tells no password."""
        with transaction.atomic():
            reply = super().form_valid(form)
            user = self.request.user
            audit.record("account.password_changed", user, actor=audit.actor_of(user), detail={})
        messages.success(self.request, CHANGED)
        return reply

    def form_invalid(self, form: Any) -> HttpResponse:
        """The page with what is wrong; nothing is stored."""
        return self.render_to_response(self.get_context_data(form=form), status=400)
