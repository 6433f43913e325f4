"""What is declared and what is found, and the plan between them; it changes nothing."""
