"""The local pages of ``serve``: the report's sections as they stand now, and what a report has no room for."""
