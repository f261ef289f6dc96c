"""The description of the API."""

from __future__ import annotations

import yaml
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from apps.api.urls import router


def test_the_schema_is_generated_without_a_warning():
    GENERATOR_STATS.reset()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})
    assert schema["openapi"].startswith("3.1")
    lists = {path for path in schema["paths"] if "{" not in path}
    assert {f"/api/v1/{prefix}/" for prefix, _, _ in router.registry} <= lists
    assert len(router.registry) == 23


def test_schema_and_page_are_for_everybody(db, nobody):
    answer = nobody.get("/api/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "Bellwether"
    page = nobody.get("/api/docs/")
    assert page.status_code == 200
    assert b"cdn" not in page.content.lower()
    assert b"<style" not in page.content
