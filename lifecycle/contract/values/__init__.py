"""Value checks: a value of the wrong kind in an allowed field. One decorated function each."""
