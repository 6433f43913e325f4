"""What changes which IOCs there are: new ones, copies, other names, and their end."""
