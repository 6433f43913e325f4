"""What a check of the doctor is made of: what it looks at, and what it tells."""
