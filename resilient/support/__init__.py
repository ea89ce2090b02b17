"""Small parts that know no request: validation, redaction, timers, windows."""
