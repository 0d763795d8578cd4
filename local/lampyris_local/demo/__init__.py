"""The demo: a model trained, compressed, published and called, all on this machine.

`story` tells it in order; `measure` takes the figures; `pictures` draws images in a terminal.
"""
