"""The wire languages of AWS's APIs, pure: bytes and values in, values and bytes out.

botocore's JSON models are the specification; `model` reads them, `routes` finds the operation of a request,
`rest_json` translates both ways, `validate` holds parameters against the model and `sigv4` signs and verifies.
"""
