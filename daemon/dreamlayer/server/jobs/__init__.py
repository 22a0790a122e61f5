"""Dreams under way: queue, scheduler, the compute thread, results, blends and statistics."""
