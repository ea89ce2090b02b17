"""What benchmarks found, shown: on a terminal, as a page, pictures, Markdown, and JSON."""
