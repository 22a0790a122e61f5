"""What the docker shows and does, without Qt: jobs, live layers, films, dreams edited again."""
