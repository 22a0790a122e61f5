"""ZeroMQ in and out: authentication, keys, outgoing messages, disconnected clients."""
