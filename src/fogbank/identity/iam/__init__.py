"""A small IAM: users with access keys, roles, policies, and sessions of temporary keys.

    users, roles, policies     what the API changes: one document each, written by compare-and-set (records, changes)
    sts, seal                  temporary keys; none is kept, since their session token says all, sealed
    signers, principals        who signs, and what they may do as long as they are there
    rights, role_rights        whether a caller, or a role that a service acts in, may do something

The account's root, who has the first access key, may do everything; everybody else exactly what their policies allow.
Source: the IAM user guide and API reference, the STS API reference.
"""
