"""The ``upload`` asset: intake. The root of every production, written in code because every workflow has it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from contracts.errors import SparkleError, UploadRejected
from sparkle_dagster.defs.assets import asset_key, failure_of
from sparkle_dagster.defs.metadata import metadata_of
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.execution.inbox import PRIVATE_COPIES
from sparkle_dagster.execution.intake import Admission, admit, move_to_admitted, quarantine
from sparkle_dagster.workspace import Workspace, this_workspace

CODE_VERSION = "1"


class UploadConfig(dg.Config):
    """Empty when an admitted upload is taken in again."""

    files: dict[str, str] = Field(
        default_factory=dict,
        description="role (audio, face, transcript, options) -> file, relative to the uploads folder.",
    )


def build_upload_asset(workspace: Workspace) -> dg.AssetsDefinition:
    """The asset that copies, inspects and admits the files of one production."""

    def compute(context: dg.AssetExecutionContext, config: UploadConfig) -> Iterator[dg.MaterializeResult[Any]]:
        workspace = this_workspace()
        files = {role: _inside(workspace.inbox, name) for role, name in config.files.items()}
        try:
            outcome = admit(Admission(context.partition_key, files, context.run_id, CODE_VERSION), workspace)
        except UploadRejected as error:
            if any(not name.startswith(f"{PRIVATE_COPIES}/") for name in config.files.values()):
                folder = quarantine(files, context.partition_key, str(error), workspace)
                context.log.error(f"{error} (the files are in {folder.relative_to(workspace.inbox)})")
            if not workspace.store.generations(f"upload/{context.partition_key}"):
                # Never admitted: without this its failure would stand on every asset and check in the UI for ever.
                context.instance.delete_dynamic_partition(str(PRODUCTIONS.name), context.partition_key)
            raise failure_of("upload", error) from error
        except SparkleError as error:
            raise failure_of("upload", error) from error
        yield dg.MaterializeResult(
            value=outcome,
            data_version=dg.DataVersion(outcome.data_version),
            metadata=metadata_of(outcome, workspace),
        )
        # The IO manager has committed by now: only a committed upload leaves the inbox.
        move_to_admitted(files, context.partition_key, workspace)

    return dg.asset(
        key=asset_key(workspace, "upload"),
        partitions_def=PRODUCTIONS,
        io_manager_key="io_manager",
        group_name=workspace.workflow.name.replace("-", "_"),
        kinds={"python", "file"},
        tags={"sparkle/node": "upload", "sparkle/lane": "cpu"},
        description="A recorded voice and a face, admitted: copied into the store, inspected, described.",
        code_version=CODE_VERSION,
        op_tags={"sparkle/lane": "cpu"},
    )(compute)


def _inside(inbox: Path, name: str) -> Path:
    path = inbox / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise failure_of("upload", UploadRejected(f"expected a file inside the uploads folder, got {name!r}"))
    return path
