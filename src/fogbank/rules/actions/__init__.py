"""What a rule can do with a message: a file per action, named by the API's member for it."""
