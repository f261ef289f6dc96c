"""The news: articles and posts, each once however many sources show it, tied to markets and instruments."""
