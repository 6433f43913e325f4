"""What every layer may use: errors, paths, time, logging and tasks."""
