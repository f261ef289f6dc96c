"""All paths of the house."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from apps.desk.relaxed import admin_path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="desk"), name="home"),
    path("favicon.ico", RedirectView.as_view(url=static("desk/icon.svg"))),
    path("", include("apps.monitoring.urls")),
    path("api/", include("apps.api.urls")),
    path("desk/", include("apps.desk.urls")),
    admin_path("admin/", admin.site.urls),
]

handler400 = "apps.api.errors.bad_request"
handler403 = "apps.api.errors.permission_denied"
handler404 = "apps.api.errors.page_not_found"
handler500 = "apps.api.errors.server_error"
