"""The door of the desk: staff only; others are sent to sign in, and the page's own requests are told to reload."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

from apps.monitoring.access import is_staff

View = TypeVar("View", bound=Callable[..., HttpResponse])


def staff_only(view: View) -> View:
    """Let only staff through."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_staff(request):
            return view(request, *args, **kwargs)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=401, headers={"HX-Redirect": settings.LOGIN_URL})
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)

    return cast(View, guarded)
