"""Which PVs are archived, since when and how: the part of an archive that is not samples."""
