"""Serve models from AWS Lambda: what runs in the cloud, and the contract that builds must satisfy."""
