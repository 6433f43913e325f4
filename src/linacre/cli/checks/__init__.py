"""What `linacre test` runs, how it runs it, and what it says at the end."""
