"""A real Ray cluster of this machine alone: a head without processors, and nodes with one each."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
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
