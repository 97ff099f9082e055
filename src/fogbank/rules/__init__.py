"""The rules engine: SQL over messages as they pass, and what is then done with them."""
