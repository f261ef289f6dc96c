"""The room's verbs: fetching and storing news and posts, and having a market analysed in their light."""

from apps.news.services.analysing import analyse_market
from apps.news.services.refreshing import refresh_news, refresh_posts
from apps.news.services.storing import store_articles

__all__ = ["analyse_market", "refresh_news", "refresh_posts", "store_articles"]
