"""From a request to a prediction: resolve, fetch, load, check, infer. Knows no transport."""
