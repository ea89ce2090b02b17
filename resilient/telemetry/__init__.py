"""Who is told of what happens: events, listeners and the logger."""
