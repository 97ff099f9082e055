"""Who is there: the account's own callers by their access keys, and clients by whatever way they come in.

`desk` is the way in: it tells a certificate, a signature and a custom authorizer apart. Roles, STS and Cognito
identities have their place here.
"""
