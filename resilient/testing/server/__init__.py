"""A real server that misbehaves to order."""
