"""What developing Fogbank needs besides Fogbank: none of it is installed with it."""
