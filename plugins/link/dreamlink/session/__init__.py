"""A dream as its client follows it, from the request to the pixels."""
