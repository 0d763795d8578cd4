"""The registry on a bucket: versions, aliases that move over them, and an account of every change."""
