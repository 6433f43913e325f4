"""Archivers: machines that keep the history of PVs."""
