"""Run commands. This needs the extra `cli`, which nothing outside of this folder imports."""
