"""What only looks: status, doctor, who is connected."""
