"""Clocks and event loops whose time is in the hand of a test."""
