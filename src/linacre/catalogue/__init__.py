"""The database of record: tasks, their steps, and history."""
