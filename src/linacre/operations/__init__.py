"""The verbs: what changes a facility."""
