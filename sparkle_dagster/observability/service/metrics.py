"""The installation as Prometheus reads it. Counters come from the projection, so they survive a restart."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from sparkle_dagster.observability.service.projection import LATENCY_BUCKETS_S
from sparkle_dagster.observability.service.watch import Watch

RUN_STATES = ("queued", "started", "succeeded", "failed", "cancelled", "lost")


def exposition(watch: Watch) -> bytes:
    """The text that ``/metrics`` answers."""
    registry = CollectorRegistry()
    registry.register(_Installation(watch))
    return generate_latest(registry)


class _Installation(Collector):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterable[Metric]:
        yield from self._runs()
        yield from self._nodes()
        yield from self._installation()

    def _runs(self) -> Iterator[Metric]:
        counts = self._watch.projection.run_counts()
        now = GaugeMetricFamily(
            "sparkle_runs_now", "Runs that wait in the queue, and that are under way.", labels=["state"]
        )
        total = CounterMetricFamily(
            "sparkle_runs", "Runs that ended, by how; lost: their process was found dead.", labels=["state"]
        )
        for state in RUN_STATES:
            family = now if state in {"queued", "started"} else total
            family.add_metric([state], counts.get(state, 0))
        yield now
        yield total
        states = GaugeMetricFamily("sparkle_productions", "Productions by state.", labels=["state"])
        for state, count in sorted(self._watch.snapshot.status.counts.items()):
            states.add_metric([state], count)
        yield states

    def _nodes(self) -> Iterator[Metric]:
        yield self._counter("node_runs", "sparkle_node_changes", "Changes of a node's status.", "node provider status")
        yield self._counter(
            "failovers", "sparkle_failovers", "Providers that failed, and another was tried.", "node provider"
        )
        yield self._counter("retries", "sparkle_retries", "Attempts beyond the first.", "node")
        yield self._counter(
            "cache", "sparkle_cache", "Nodes that ended well: made anew (miss) or taken from before.", "node outcome"
        )
        yield self._counter(
            "artifact_bytes", "sparkle_artifact_bytes", "Bytes of the artifacts that nodes made.", "node"
        )
        yield self._counter("cpu_seconds", "sparkle_cpu_seconds", "CPU seconds of provider processes.", "node provider")
        yield self._latency()

    def _installation(self) -> Iterator[Metric]:
        status = self._watch.snapshot.status
        slots = GaugeMetricFamily("sparkle_lane_slots", "Steps that a lane may run at once.", labels=["lane"])
        busy = GaugeMetricFamily("sparkle_lane_busy", "Steps that a lane runs now.", labels=["lane"])
        for lane, state in status.lanes.items():
            slots.add_metric([lane], state.slots)
            busy.add_metric([lane], state.busy)
        yield slots
        yield busy
        waiting = GaugeMetricFamily("sparkle_sink_backlog", "Events that a sink has not had.", labels=["sink"])
        lost = CounterMetricFamily("sparkle_sink_lost", "Events that a sink never gets.", labels=["sink", "why"])
        down = GaugeMetricFamily("sparkle_sink_down", "1 while the last try to deliver failed.", labels=["sink"])
        for name, sink in status.sinks.items():
            waiting.add_metric([name], sink["waiting"])
            for why in ("dropped", "refused"):
                lost.add_metric([name, why], sink[why])
            down.add_metric([name], 1 if sink["error"] else 0)
        yield waiting
        yield lost
        yield down
        healthy = GaugeMetricFamily("sparkle_healthy", "1 while this part is alive and well.", labels=["part"])
        for part in status.health:
            healthy.add_metric([part.name], 1 if part.healthy else 0)
        yield healthy
        yield GaugeMetricFamily("sparkle_spool_bytes", "Size of the event spool.", value=self._watch.spool.size_bytes)

    def _counter(self, name: str, shown: str, what: str, labels: str) -> Metric:
        family = CounterMetricFamily(shown, what, labels=labels.split())
        for values, count in self._watch.projection.counters(name):
            family.add_metric(values, count)
        return family

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "sparkle_node_latency_seconds", "Time of nodes that succeeded.", labels=["node", "provider"]
        )
        projection = self._watch.projection
        below = dict(projection.counters("latency_bucket"))
        sums = dict(projection.counters("latency_sum"))
        for labels, count in projection.counters("latency_count"):
            buckets = [(str(bucket), below.get((*labels, str(bucket)), 0.0)) for bucket in LATENCY_BUCKETS_S]
            family.add_metric(labels, [*buckets, ("+Inf", count)], sum_value=sums.get(labels, 0.0))
        return family
