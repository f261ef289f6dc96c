"""What several sources brought when they were asked at once, and every source's part in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apps.sources.chains import NEWS, Chain, Part
from apps.sources.types import ArticleRecord, Batch

POSTS = Chain(name="posts", sources=("reddit", "twitter"), mode="all")
HAULS: Mapping[str, Chain] = MappingProxyType({chain.name: chain for chain in (NEWS, POSTS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleHaul:
    """The batches of the sources that answered, and the parts of all sources in the order in which they stand."""

    batches: tuple[Batch[ArticleRecord], ...]
    parts: tuple[Part, ...]
