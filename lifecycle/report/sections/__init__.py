"""The sections of a report. Their order is the order of the table in ``order.py``."""
