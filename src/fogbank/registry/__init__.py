"""The registry: things, thing types, certificates and the CA that issues them, policies, and who holds what.

`Registry` (registry.py) composes the services; `principals.py` is what the edges and the broker ask on every
connection. Everything is kept in the Documents port, one kind of document per noun (records.py); a change of several
documents is one batch with compare-and-set (changes.py), so that neither a kill nor a concurrent call leaves a half.
"""
