"""The documented error formats, a file for each."""
