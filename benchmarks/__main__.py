"""All benchmarks but the kills, then ``docs/performance.md``: ``python -m benchmarks``; 44 minutes, needs wrk."""

from benchmarks import (
    buckets_and_sweeps,
    hanging_sink,
    lanes,
    loading,
    performance_page,
    pipeline,
    plan,
    provider_process,
    sensor_tick,
    status_service,
    store,
)

PLATFORM = (loading, provider_process, store, buckets_and_sweeps, sensor_tick, plan, lanes, status_service)

for benchmark in (*PLATFORM, hanging_sink, pipeline):
    print(f"{benchmark.__name__}: {(benchmark.__doc__ or '').split('?')[0].strip()}?", flush=True)
    benchmark.main()
performance_page.write()
