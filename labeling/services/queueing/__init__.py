"""Who reads which crop next, rule by rule; `labeling.services.queue` hands on what others use."""
