"""Builds as jobs: a worker takes one, keeps its checkpoints in the bucket, and hands it on in time."""
