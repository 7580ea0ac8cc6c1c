"""Sources: every input format, read into rows of a dataset; what cannot be read is counted, never kept."""

from lifecycle.sources.names import COLUMN_NAMES, declared
from lifecycle.sources.registry import FORMATS, REGISTRY, open_file

__all__ = ["COLUMN_NAMES", "FORMATS", "REGISTRY", "declared", "open_file"]
