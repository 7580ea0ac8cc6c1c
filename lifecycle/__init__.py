"""Compliance and data life cycle for the eTermin to arztkonsultation connection."""

__version__ = "0.1.0"
