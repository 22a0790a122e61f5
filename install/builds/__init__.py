"""The build of PyTorch that fits this computer: found, installed, proven and remembered."""
