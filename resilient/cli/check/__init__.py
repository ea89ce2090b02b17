"""Run `resilient check`: show the settings of a file, or everything that is wrong with it."""
