"""A real Ray cluster of this machine alone, and whether two scans found the same.

Its head has no processors, and each of its nodes has one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class RayNodes:
    """Nodes that come and go."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.address: str = cluster.address
        self.nodes: list[Any] = []

    def add(self, processors: int = 1) -> None:
        self.nodes.append(self._cluster.add_node(num_cpus=processors))

    def kill(self, number: int) -> None:
        """End a node as a power cut would, with all that runs on it."""
        self._cluster.remove_node(self.nodes.pop(number), allow_graceful=False)


@contextmanager
def ray_nodes(count: int) -> Iterator[RayNodes]:
    """Start a cluster and be connected to it."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        nodes = RayNodes(cluster)
        for _ in range(count):
            nodes.add()
        ray.init(address=cluster.address, logging_level=logging.ERROR, log_to_driver=False)
        try:
            yield nodes
        finally:
            ray.shutdown()
    finally:
        cluster.shutdown()


def differences(found: object, expected: object, near: float = 1e-4, where: str = "") -> list[str]:
    """Say where two plain values differ, as "[3].matches[0].score".

    With other threads, sums of the models differ in their last digits.

    Parameters
    ----------
    near
        By which numbers with a fraction may differ.
    """
    if type(found) is not type(expected):
        return [where]
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            return [where]
        pairs = [(f".{name}", found[name], expected[name]) for name in expected]
    elif isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        if len(found) != len(expected):
            return [where]
        pairs = [(f"[{n}]", one, found[n]) for n, one in enumerate(expected)]
    elif isinstance(found, float) and isinstance(expected, float):
        return [] if abs(found - expected) <= near else [where]
    else:
        return [] if found == expected else [where]
    return [
        text for name, one, same in pairs for text in differences(one, same, near, where + name)
    ]
