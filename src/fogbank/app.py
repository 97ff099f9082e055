"""The composition root: the whole wiring on one screen."""
