"""The long work of the training app: embeddings, rankings, fits. The only files that see rows and arrays."""
