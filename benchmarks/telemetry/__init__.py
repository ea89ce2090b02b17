"""Draw what an operator sees in an outage: a trace, and panels of the dashboard, of a real run."""
