"""Small widgets that know nothing of dreams."""
