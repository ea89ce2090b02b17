"""One policy for a service, and the pipeline that carries it out."""
