"""The command line; it needs the `cli` extra, which nothing outside of it imports."""
