"""Read what the headers of a response ask of a client."""
