"""Paths of the API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.api.schema import DocsView, SchemaView
from apps.api.views import house, money, news, opinion, queue, store

router = SimpleRouter()
router.register("sources", store.SourceViewSet, "source")
router.register("markets", store.MarketViewSet, "market")
router.register("outcomes", store.OutcomeViewSet, "outcome")
router.register("quotes", store.QuoteViewSet, "quote")
router.register("instruments", store.InstrumentViewSet, "instrument")
router.register("candles", store.CandleViewSet, "candle")
router.register("articles", news.ArticleViewSet, "article")
router.register("forecasts", opinion.ForecastViewSet, "forecast")
router.register("scores", opinion.ScoreViewSet, "score")
router.register("signals", opinion.SignalViewSet, "signal")
router.register("portfolios", money.PortfolioViewSet, "portfolio")
router.register("positions", money.PositionViewSet, "position")
router.register("orders", money.OrderViewSet, "order")
router.register("fills", money.FillViewSet, "fill")
router.register("limits", money.LimitsViewSet, "limits")
router.register("ledger/accounts", money.AccountViewSet, "account")
router.register("ledger/entries", money.EntryViewSet, "entry")
router.register("settlements", money.SettlementViewSet, "settlement")
router.register("audit", house.AuditEventViewSet, "audit-event")
router.register("backups", house.BackupViewSet, "backup")
router.register("tenants", house.TenantViewSet, "tenant")
router.register("dead-letters", queue.DeadLetterViewSet, "dead-letter")
router.register("schedules", queue.ScheduleViewSet, "schedule")

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", DocsView.as_view(), name="api-docs"),
    path("v1/me/", house.MeView.as_view(), name="me"),
    path("v1/", include(router.urls)),
]
