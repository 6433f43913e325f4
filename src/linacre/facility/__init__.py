"""The declaration of a facility, the plan to make it real, and its application."""
