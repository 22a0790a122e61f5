"""What `python -m tests.bench.speed` is made of: each module measures one thing."""
