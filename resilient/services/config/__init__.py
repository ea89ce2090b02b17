"""Services from a file: read, laid over what they extend, judged and made into policies."""
