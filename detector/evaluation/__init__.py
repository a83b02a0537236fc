"""Measures the detector: edited uploads with ground truth, metrics, baselines.

Scans never import it.
"""
