"""The engine: planes and a recipe in, detail out. Pure PyTorch; no sockets, hosts or files."""
