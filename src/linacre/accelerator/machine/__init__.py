"""A machine to set, step and read: the model with its state, and what is read from it."""
