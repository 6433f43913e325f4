"""The lattice: which elements there are, and where; data in a file that people write."""
