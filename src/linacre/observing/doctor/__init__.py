"""The doctor: a fixed list of checks of a facility and its host, each with its finding."""
