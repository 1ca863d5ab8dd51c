"""Where a command finds the jobs: module-level functions, so that step processes can find them too."""

import dagster as dg

from sparkle_dagster.definitions import defs
from sparkle_dagster.defs.jobs import PRODUCTION_JOB, SHADOW_JOB


def production_job() -> dg.JobDefinition:
    return defs.resolve_job_def(PRODUCTION_JOB)


def shadow_job() -> dg.JobDefinition:
    return defs.resolve_job_def(SHADOW_JOB)
