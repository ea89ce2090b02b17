"""Read the documented error formats: a file for each, listed in `table`."""
