"""Sandboxes: copies of a facility, each on a network of its own, with the same names."""
