"""The service that takes samples: its recorder, its control, its sources."""
