"""An archiver: what it takes from IOCs, how it keeps it, and how it is read."""
