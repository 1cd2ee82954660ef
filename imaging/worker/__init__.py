"""The long work of the imaging app: files in, rows and shards out."""
