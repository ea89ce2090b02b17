"""Show the results of benchmarks: on a terminal, as a page, pictures, Markdown and JSON."""
