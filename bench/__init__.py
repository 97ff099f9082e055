"""Fogbank beside Mosquitto and NATS: one load generator, one run, the same rules for all.

`python -m bench` (or `make bench`) compiles the generator, starts the brokers on loopback, lets them take turns and
prints what each delivered, what that cost it, and the ratio beside what is asked. See `bench/README.md`.
"""
