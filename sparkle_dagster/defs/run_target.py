"""Where a command finds the production job: a module-level function, so that step processes can find it too."""

import dagster as dg

from sparkle_dagster.definitions import defs
from sparkle_dagster.defs.jobs import PRODUCTION_JOB


def production_job() -> dg.JobDefinition:
    return defs.resolve_job_def(PRODUCTION_JOB)
