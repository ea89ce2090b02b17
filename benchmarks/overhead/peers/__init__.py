"""Wrap what people use instead: one file each, which says what it can and cannot do."""
