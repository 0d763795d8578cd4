"""`/models/{model}/predict`: what people have in, what they want to know out, by media type."""
