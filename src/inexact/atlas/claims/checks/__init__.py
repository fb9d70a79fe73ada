"""Kinds of checks, one file each: how a claim is measured."""
