"""The embedded default store: a DuckDB file, rewritten to delete."""

from lifecycle.stores.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
