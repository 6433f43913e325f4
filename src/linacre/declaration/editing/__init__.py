"""Changes of the facility file as text, comments and layout kept."""
