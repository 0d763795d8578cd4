"""The functions that AWS calls. Importing a module here is its INIT."""
