"""The emulated bucket, for the tests of stores."""

from tests.gcs.fixtures import all_day_service, bucket_store, service

__all__ = ["all_day_service", "bucket_store", "service"]
