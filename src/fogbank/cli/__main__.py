"""`python -m fogbank.cli`: the command without its script, for processes that start one another."""

from fogbank.cli import main

main(prog_name="fogbank")
