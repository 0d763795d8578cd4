"""HTTP as API Gateway hands it to a function: events in, responses out, errors as problems."""
