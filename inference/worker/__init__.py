"""The long work of the inference app. The only files that see rows and arrays together."""
