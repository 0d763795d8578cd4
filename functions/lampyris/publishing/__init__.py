"""From an upload in the inbox to a version that is live: check, optimise, prove, commit."""
