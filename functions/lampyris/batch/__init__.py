"""Batch inference: an input of any size, in shards that any number of workers predict."""
