"""Serve models from AWS Lambda: what runs in the cloud, and the contract that builds must satisfy."""

__version__ = "0.1.0"
