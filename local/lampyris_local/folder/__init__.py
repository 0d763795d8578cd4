"""A folder as the whole registry: what functions do in the cloud is done in the command's own process."""
