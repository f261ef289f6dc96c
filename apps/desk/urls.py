"""Paths of the desk."""

from django.urls import path

from apps.desk import queue_views, source_views, views

urlpatterns = [
    path("", views.desk, name="desk"),
    path("parts/", views.parts, name="desk-parts"),
    path("equity/", views.equity, name="desk-equity"),
    path("sources/", source_views.sources, name="desk-sources"),
    path("sources/<slug:slug>/<slug:deed>/", source_views.act, name="desk-source-act"),
    path("queue/", queue_views.page, name="desk-queue"),
    path("queue/parts/", queue_views.parts, name="desk-queue-parts"),
    path("queue/<slug:job_id>/<slug:deed>/", queue_views.act, name="desk-queue-act"),
    path("markets/<slug:market_id>/", views.market, name="desk-market"),
    path("markets/<slug:market_id>/series/", views.series, name="desk-series"),
]
