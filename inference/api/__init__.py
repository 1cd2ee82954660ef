"""The inference app over HTTP: translates, calls services, answers with JSON."""
