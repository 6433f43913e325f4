"""Faults to order: what breaks on request, how it shows, and how it is put right."""
