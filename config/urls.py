"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.accounts import ChangePassword
from config.tokens import CreateTokenView, RevokeTokenView
from inference.views import alive, home

api: list[URLPattern | URLResolver] = [
    path("", include("labeling.api.urls")),
    path("", include("imaging.api.urls")),
    path("", include("training.api.urls")),
    path("", include("inference.api.urls")),
    path("tokens/", CreateTokenView.as_view(), name="create-token"),
    path("tokens/revoke/", RevokeTokenView.as_view(), name="revoke-token"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("", include("labeling.urls")),
    path("", include("imaging.urls")),
    path("", include("training.urls")),
    path("", include("inference.urls")),
    path("api/v1/", include(api)),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/password/", ChangePassword.as_view(), name="change-password"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("health/live", alive, name="alive"),
    path("admin/", admin.site.urls),
]
