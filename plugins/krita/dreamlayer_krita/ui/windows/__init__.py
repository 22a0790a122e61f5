"""The windows that the docker opens to choose what to dream by eye."""
