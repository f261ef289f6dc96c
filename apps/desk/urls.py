"""Paths of the desk."""

from django.urls import path

from apps.desk import source_views, views

urlpatterns = [
    path("", views.desk, name="desk"),
    path("parts/", views.parts, name="desk-parts"),
    path("equity/", views.equity, name="desk-equity"),
    path("sources/", source_views.sources, name="desk-sources"),
    path("sources/<slug:slug>/<slug:deed>/", source_views.act, name="desk-source-act"),
    path("markets/<slug:market_id>/", views.market, name="desk-market"),
    path("markets/<slug:market_id>/series/", views.series, name="desk-series"),
]
