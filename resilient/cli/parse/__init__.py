"""Run `resilient parse`, on a saved answer, and `resilient formats`."""
