"""Run `resilient parse` and `resilient formats`: what would become of an answer, and by what."""
