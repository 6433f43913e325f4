"""Kinds of machine, a folder each: what is laid into one, and how it is asked."""
