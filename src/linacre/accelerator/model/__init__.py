"""What a lattice with its settings makes of a bunch: moments, charge, losses, by element."""
