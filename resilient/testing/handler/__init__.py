"""Test a middleware without a socket: a scripted handler in the place of the network."""
