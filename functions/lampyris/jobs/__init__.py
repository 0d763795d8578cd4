"""Work that takes longer than a request: jobs, their one state, and what keeps them going (decision 0018)."""
