"""Fogbank beside Mosquitto: one load generator, one run, the same rules for both.

`python -m bench` (or `make bench`) compiles the generator, starts both brokers on loopback, lets them take turns and
prints what each delivered, what that cost it, and the ratio beside the aim. See `bench/README.md`.
"""
