"""The template checks, one decorated function each; ``lint.checks()`` finds every module here."""
