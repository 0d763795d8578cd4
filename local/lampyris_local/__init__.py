"""The command line, and the cloud on your machine."""
