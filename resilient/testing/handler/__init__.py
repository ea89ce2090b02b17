"""A scripted handler in the place of the network."""
