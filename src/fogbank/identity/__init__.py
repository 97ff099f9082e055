"""Who the account's own callers are: access keys now; roles, STS and Cognito identities have their place here."""
