"""What people use instead: a file for each, which says what it can and cannot do."""
