"""Files of the command line: pictures with what is stored beside their pixels, and recipes."""
