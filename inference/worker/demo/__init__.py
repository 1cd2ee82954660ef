"""The demonstration: the whole main job on images with known labels, with annotators that are simulated."""
