"""Dreams in progress: queue, scheduler, compute thread, results, blends and statistics."""
