"""The fault server: a real HTTP server on loopback that misbehaves to order."""
