"""Attacks on approximate accelerators and on their users: adversarial inputs, Trojans, flipped bits, side channels, stolen models."""
