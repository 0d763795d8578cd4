"""What is asked of the deployment, not of a model: places for uploads, and the description of the API."""
