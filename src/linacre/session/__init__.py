"""A facility in hand: which one, its engine, its lock, its record, which machine is live."""
