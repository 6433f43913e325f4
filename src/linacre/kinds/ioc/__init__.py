"""IOCs: their files."""
