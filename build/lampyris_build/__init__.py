"""Build models offline: train, evaluate, compress, export, hand over a bundle."""
