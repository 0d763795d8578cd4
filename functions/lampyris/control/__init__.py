"""What can be asked of a registry: one table of verbs, for the HTTP API and the command line."""
