"""Desks: a machine on each network, from which people and tests reach it."""
