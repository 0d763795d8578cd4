"""What serving must repeat of what training did to its inputs: all of it is part of the exported graph."""
