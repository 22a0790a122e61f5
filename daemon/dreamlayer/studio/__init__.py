"""One dream from request to pixels: inputs, network, engine, previews and the blended result."""
