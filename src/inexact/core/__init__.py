"""The nouns everything else is built from: registry, estimates, workloads, files, errors. No torch, no numpy arrays at import."""
