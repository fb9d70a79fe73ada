"""Search for the accelerator that saves most within an accuracy budget: spaces, samplers, studies, their store and results."""
