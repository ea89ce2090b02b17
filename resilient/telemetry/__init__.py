"""Tell of what happens: events, listeners and the logger."""
