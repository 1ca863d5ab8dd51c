"""`python -m sparkle_dagster.cli`: the same as `sparkle`."""

from sparkle_dagster.cli.main import main

main()
