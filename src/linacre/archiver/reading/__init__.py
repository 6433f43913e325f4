"""Answers from an archive: queries, bins, tables."""
