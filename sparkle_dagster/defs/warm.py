"""Preload of the multiprocess executor's fork server: everything a step process needs is imported once per run.

Dagster imports parts of itself lazily when an instance is opened, 1.4 s in every step; one step here pays it once.
"""

import gc
import logging
import os
from contextlib import suppress
from importlib import import_module

import dagster as dg

LOADED_IN = os.getpid()
"""In a step's process this equals the parent's pid when the preload took effect; a failed preload is silent."""


@dg.asset
def _nothing() -> None: ...


logging.disable(logging.CRITICAL)
dg.materialize([_nothing])
with suppress(dg.DagsterError), dg.DagsterInstance.get() as instance:
    instance.get_run_records(limit=1)
logging.disable(logging.NOTSET)
import_module("sparkle_dagster.definitions")

gc.collect()
gc.freeze()
