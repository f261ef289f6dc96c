"""The pages of the desk. Everything is rendered here; the script only brings it up to date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import now
from apps.core.money import to_major
from apps.desk import board, focus, holdings, house, life, silence
from apps.desk.access import staff_only
from apps.markets.errors import MarketNotFound

EQUITY_PERIOD = timedelta(days=30)
EQUITY_POINTS = 500
ID_LENGTH_MAX = 40


@never_cache
@require_safe
@staff_only
def desk(request: HttpRequest) -> HttpResponse:
    """Show the whole desk."""
    return render(request, "desk/board.html", pictures(request, at=now()))


@never_cache
@require_safe
@staff_only
def parts(request: HttpRequest) -> HttpResponse:
    """Show the panels anew, each to be put in the place of the old one."""
    return render(request, "desk/parts.html", pictures(request, at=now()))


def pictures(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """Return what all panels show."""
    wished = request.GET.get("market", "")[:ID_LENGTH_MAX].replace("\x00", "")
    chosen_id = focus.choose(wished, now=at)
    return {
        "speed": settings.SCHEDULE_SPEED,
        "wished": wished if wished == chosen_id else "",
        "figures": house.key_figures(now=at),
        "portfolios": holdings.all_portfolios(now=at),
        "live": board.live_markets(now=at, chosen_id=chosen_id),
        "rolled": board.rolled_markets(now=at, chosen_id=chosen_id),
        "focus": focus.focus_of(chosen_id, now=at),
        "positions": holdings.open_positions(),
        "fills": holdings.latest_fills(),
        "results": holdings.settled_results(),
        "gate": silence.gate_rows(),
        "gate_needs": silence.NEEDS,
        "sources": house.source_rows(now=at),
        "upkeep": house.upkeep(now=at),
    }


@never_cache
@require_safe
@staff_only
def market(request: HttpRequest, market_id: str) -> HttpResponse:
    """Show the life of one market along the flow."""
    at = now()
    found = focus.focus_of(market_id, now=at)
    if found is None:
        raise Http404
    return render(
        request, "desk/market.html", {"speed": settings.SCHEDULE_SPEED, "focus": found, **life.life_of(market_id, now=at)}
    )


@never_cache
@require_safe
@staff_only
def series(request: HttpRequest, market_id: str) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """Answer with the lines of a market's chart."""
    try:
        return JsonResponse(focus.chart_series(market_id, now=now()))
    except MarketNotFound:
        raise Http404 from None


@never_cache
@require_safe
@staff_only
def equity(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """Answer with the line of the shadow portfolio's equity."""
    at = now()
    shadow = next((row for row in holdings.all_portfolios(now=at) if row.kind == "shadow"), None)
    steps = holdings.equity_series(shadow.id, since=at - EQUITY_PERIOD, points=EQUITY_POINTS) if shadow else []
    return JsonResponse(
        {
            "kind": "money",
            "digits": 2,
            "times": [step.at.timestamp() for step in steps],
            "values": [float(to_major(step.equity_minor, shadow.currency)) for step in steps] if shadow else [],
        }
    )
