"""One production is one dynamic partition."""

import dagster as dg

PRODUCTIONS = dg.DynamicPartitionsDefinition(name="productions")
