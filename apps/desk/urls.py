"""Paths of the desk."""

from django.urls import path

from apps.desk import views

urlpatterns = [
    path("", views.desk, name="desk"),
    path("parts/", views.parts, name="desk-parts"),
    path("equity/", views.equity, name="desk-equity"),
    path("markets/<slug:market_id>/", views.market, name="desk-market"),
    path("markets/<slug:market_id>/series/", views.series, name="desk-series"),
]
