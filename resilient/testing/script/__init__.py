"""Scripts of a fault server: steps, choosers, and their order."""
