"""What is declared: the facility file, its loading, its checks and its editing as text."""
