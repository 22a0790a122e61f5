"""Films: frames from a folder, an animation or a video, dreamed shot by shot, and put together."""
