"""The HTTP edge: requests of AWS's APIs in, calls of the services out.

`pipeline` is the way a request takes, `call` is what the thin API modules are written against.
"""
