"""The process of one check: an order on standard input, a JSON line per case on the descriptor that is named."""

import json
import os
import sys
import traceback
from typing import Any

from pydantic import ValidationError

from contracts.context import ModelFile
from contracts.errors import ConfigError, SparkleError
from contracts.tasks import Task
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.cases import CASES, Case, is_available_here
from sparkle_dagster.conformance.check import CaseOutcome, CheckOrder, described
from sparkle_dagster.conformance.requests import SmallMedia, bad_requests, good_request
from sparkle_dagster.conformance.trial import CaseFailed, CaseSkipped, Trial
from sparkle_dagster.registry.discovery import AnyTask, load_class, provider_class
from sparkle_dagster.registry.wire import error_message


def main() -> None:
    answers = os.fdopen(int(sys.argv[1]), "w", buffering=1)
    try:
        order = CheckOrder.model_validate_json(sys.stdin.readline())
        trial = _trial(order)
        _check_options(trial)
        for case in CASES[order.first_case :]:
            answers.write(_outcome(case, trial).model_dump_json() + "\n")
    except SparkleError as error:
        answers.write(json.dumps(error_message(error, "")) + "\n")
    answers.close()
    sys.stdout.flush()
    os._exit(0)  # threads and clean-up of native libraries must not undo what was answered


def _trial(order: CheckOrder) -> Trial:
    store = LocalArtifactStore(order.folder / "store")
    media = SmallMedia(store)
    trial = Trial(
        provider=_provider(order.target),
        store=store,
        folder=order.folder / "runs",
        good=lambda: good_request(trial, media),
        bad=lambda: bad_requests(trial, media),
        given_options=order.options,
        models={name: ModelFile(model.path, model.sha256, model.licence) for name, model in order.models.items()},
    )
    return trial


def _provider(target: str) -> type[AnyTask]:
    found: type[Any] = load_class(target)
    task = next((base for base in found.__mro__ if issubclass(base, Task) and "capability" in vars(base)), None)
    if task is None:
        raise ConfigError(
            f"expected {target} to be a subclass of a task, such as contracts.tasks.LipSyncTask, "
            f"got a subclass of {', '.join(base.__name__ for base in found.__bases__)}"
        )
    return provider_class(target, task)


def _check_options(trial: Trial) -> None:
    """Options that were given must be right; none given is a matter for the cases."""
    try:
        _ = trial.given_options and trial.options
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        known = ", ".join(trial.provider.Options.model_fields) or "none"
        raise ConfigError(
            f"option {'.'.join(map(str, problem['loc']))}: {problem['msg']}; {trial.provider.__name__} has: {known}"
        ) from error


def _outcome(case: Case, trial: Trial) -> CaseOutcome:
    needs_a_run = CASES.index(case) > CASES.index(is_available_here)
    try:
        if needs_a_run and trial.unavailable is not None:
            raise CaseSkipped("it cannot run on this machine")
        case(trial)
    except CaseSkipped as skipped:
        return described(case, "skipped", str(skipped))
    except CaseFailed as failure:
        return described(case, "failed", str(failure))
    except ConfigError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a provider does, it is an outcome
        traceback.print_exc()
        return described(case, "failed", f"{type(error).__name__}: {error}")
    return described(case, "passed")


if __name__ == "__main__":
    main()
