"""Make a trained model small: a file for each step, and the chain that takes them one after the other."""
