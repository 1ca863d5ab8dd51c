"""One production is one dynamic partition. Each workspace has its own set: none sees another's keys."""

import dagster as dg

from sparkle_dagster.settings import selected_workspace


def partitions_name(workspace: str) -> str:
    return "productions" if workspace == "main" else f"productions_{workspace}"


PRODUCTIONS = dg.DynamicPartitionsDefinition(name=partitions_name(selected_workspace()))
