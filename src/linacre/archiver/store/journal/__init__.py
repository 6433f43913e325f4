"""The newest samples: what is written before it is put in order."""
