"""The page of the sources, and its buttons. Every deed is a form post: it works without a script, and it is audited."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.clock import now
from apps.core.errors import DeskError, NotFound
from apps.desk import windows
from apps.desk.access import staff_only
from apps.desk.windows import DEEDS, Wish

PERMISSION = "sources.change_source"
REASON_LENGTH = 300


@never_cache
@require_safe
@staff_only
def sources(request: HttpRequest) -> HttpResponse:
    """Show how every source stands."""
    rows = windows.window_rows(now=now())
    shown = {
        "rows": rows,
        "kept": windows.kept_rows(),
        "may_act": request.user.has_perm(PERMISSION),
        "speed": settings.SCHEDULE_SPEED,
    }
    return render(request, "desk/sources.html", shown)


@require_POST
@staff_only
def act(request: HttpRequest, slug: str, deed: str) -> HttpResponse:
    """Do one deed to one source and show the page again with what came of it."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if deed not in DEEDS:
        raise Http404
    reason = request.POST.get("reason", "").strip()[:REASON_LENGTH].replace("\x00", "")
    per_minute = request.POST.get("per_minute", "").strip()
    wish = Wish(source=slug, by=f"staff:{request.user.get_username()}", now=now(), reason=reason, per_minute=per_minute)
    try:
        is_good, said = DEEDS[deed](wish)
    except NotFound:
        raise Http404 from None
    except DeskError as refusal:
        is_good, said = False, str(refusal)
    show = messages.success if is_good else messages.error
    show(request, f"{slug}: {said}")
    return redirect("desk-sources")
