"""Run `resilient explain`: tell what would happen to a request, and why."""
