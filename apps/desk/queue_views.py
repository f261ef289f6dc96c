"""The page of the queue, and the two ways out for a dead letter. Every deed is a form post: audited, and without a script."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.clock import now
from apps.core.errors import Expected, NotFound
from apps.desk import queue
from apps.desk.access import staff_only

PERMISSION = "jobs.change_job"


@never_cache
@require_safe
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """Show the whole queue."""
    return render(request, "desk/queue.html", _picture(request))


@never_cache
@require_safe
@staff_only
def parts(request: HttpRequest) -> HttpResponse:
    """Show the panels anew; the dead letters only when they are others than those of the mark that the page shows."""
    shown = _picture(request)
    is_new = request.GET.get("letters") != shown["letters_mark"]
    return render(request, "desk/queue_parts.html", {**shown, "are_letters_new": is_new})


@require_POST
@staff_only
def act(request: HttpRequest, job_id: str, deed: str) -> HttpResponse:
    """Do one deed to one dead letter and show the page again with what came of it."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if deed not in queue.DEEDS:
        raise Http404
    try:
        said = queue.DEEDS[deed](job_id=job_id, by=f"staff:{request.user.get_username()}", now=now())
    except NotFound:
        raise Http404 from None
    except Expected as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{job_id}: {said}")
    return redirect("desk-queue")


def _picture(request: HttpRequest) -> dict[str, Any]:
    return queue.picture(now=now(), may_act=request.user.has_perm(PERMISSION))
