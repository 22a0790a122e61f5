"""The packages of Dreamlayer's environment: what they are, where they come from, pip."""
