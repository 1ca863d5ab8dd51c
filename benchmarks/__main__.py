"""All benchmarks but the kills, then ``docs/performance.md``: ``python -m benchmarks``; 34 minutes on two cores."""

from benchmarks import (
    buckets_and_sweeps,
    lanes,
    loading,
    performance_page,
    pipeline,
    plan,
    provider_process,
    sensor_tick,
    store,
)

for benchmark in (loading, provider_process, store, buckets_and_sweeps, sensor_tick, plan, lanes, pipeline):
    print(f"{benchmark.__name__}: {(benchmark.__doc__ or '').split('?')[0].strip()}?", flush=True)
    benchmark.main()
performance_page.write()
