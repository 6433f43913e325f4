"""System containers through the REST interface of Incus."""
