"""The only modules that hold cloud clients."""
