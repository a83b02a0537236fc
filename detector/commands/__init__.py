"""The groups of commands under `matchcut`: thin, no logic."""
