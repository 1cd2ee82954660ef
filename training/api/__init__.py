"""The training app over HTTP: translates, calls services, answers with JSON."""
