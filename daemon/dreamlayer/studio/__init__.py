"""The way of one dream: inputs, network, engine, previews and the finished pixels."""
