"""The conformance kit: what every provider of every capability must do. Each case is a function of a Trial.

A case raises CaseFailed with what was expected and what came, or CaseSkipped where it says nothing of this provider.
Its docstring is what a person reads. They run in ``sparkle providers --check`` and, by pytest, in ``pytest_cases``.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from contracts.base import Fidelity
from contracts.errors import ProviderRejected, SparkleError
from contracts.production import TaskResult
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.platform import run_on_the_platform
from sparkle_dagster.conformance.trial import CaseFailed, CaseSkipped, Trial, expect
from sparkle_dagster.settings import borrowed_environment

Case = Callable[[Trial], None]

_ROUNDING = 1e-6
_FEWEST_WORDS = 4


# -- the class --


def says_what_it_is(trial: Trial) -> None:
    """says capability, version, lane and, in its docstring, what it is"""
    provider = trial.provider
    expect(provider.capability, "expected a capability, found none")
    expect(provider.version, 'expected a version such as "1", found none')
    expect(provider.lane in {"cpu", "gpu"}, f"expected lane cpu or gpu, got {provider.lane!r}")
    expect("__doc__" in vars(provider) and provider.__doc__, "expected a docstring of its own: it is what people see")


def default_options_are_enough(trial: Trial) -> None:
    """works without options"""
    try:
        trial.provider.Options()
    except ValidationError as error:
        raise CaseFailed(f"expected a default for every option: {_first(error)}") from error


def unknown_option_is_refused(trial: Trial) -> None:
    """refuses an option that it does not have"""
    try:
        trial.provider.Options.model_validate({**trial.given_options, "no_such_option": 1})
    except ValidationError as error:
        named = [problem for problem in error.errors() if "no_such_option" in problem["loc"]]
        expect(named, f"expected the unknown option to be named, got: {_first(error)}")
        return
    raise CaseFailed("expected an error for the option no_such_option, it was taken: a typo would go unnoticed")


def is_available_here(trial: Trial) -> None:
    """can run on this machine"""
    expect(trial.unavailable is None, f"{trial.unavailable}")


# -- a good request --


def applicability_is_decided_without_reading_media(trial: Trial) -> None:
    """decides whether a request is for it without opening media"""
    document = _with_absent_refs(trial.good_request.model_dump())
    nowhere = type(trial.good_request).model_validate(document)
    try:
        reason = trial.provider.not_applicable(trial.options, nowhere)
    except Exception as error:
        raise CaseFailed(f"expected an answer from the request alone, got {type(error).__name__}: {error}") from error
    expect(reason is None, f"expected it to take this request, it says: {reason}")


def result_is_the_capabilitys_and_survives_storage(trial: Trial) -> None:
    """answers with its capability's result, which reads back from JSON as it was"""
    result = trial.result
    try:
        again = type(result).parse_json(result.model_dump_json())
    except SparkleError as error:
        raise CaseFailed(f"expected its JSON to read back: {error}") from error
    expect(again == result, "expected the same result back from its JSON, got another")


def all_that_the_result_names_is_stored(trial: Trial) -> None:
    """stores every artifact that its result names"""
    for ref in trial.refs_of(trial.result):
        try:
            trial.store.verify(ref)
        except SparkleError as error:
            raise CaseFailed(f"the result names {ref.path}, which is not in the store: {error}") from error


def what_it_hands_on_is_no_real_work(trial: Trial) -> None:
    """does not call it real when it hands its inputs on and makes nothing"""
    named = {ref.digest for ref in trial.refs_of(trial.result)}
    if not named:
        raise CaseSkipped("its result names no artifact")
    made = named - {ref.digest for ref in trial.refs_of(trial.good_request)}
    is_honest = made or trial.result.fidelity is not Fidelity.REAL
    expect(is_honest, "all artifacts of its result are inputs and fidelity says real: say passthrough, or degraded")


def inputs_stay_as_they_were(trial: Trial) -> None:
    """leaves its inputs as they were"""
    _ = trial.result
    for ref in trial.refs_of(trial.good_request):
        try:
            trial.store.verify(ref)
        except SparkleError as error:
            raise CaseFailed(f"an input was changed: {error}") from error


def equal_requests_give_equal_results_wherever_they_run(trial: Trial) -> None:
    """gives equal results for equal requests, from another folder and store too"""
    if not trial.provider.deterministic:
        raise CaseSkipped("it does not promise equal results")
    other = LocalArtifactStore(trial.folder / "elsewhere" / "deeper" / "store")
    for ref in trial.refs_of(trial.good_request):
        with trial.store.open(ref) as stream:
            other.put(stream, ref.media_type, ref.metadata)
    first, again = _lasting(trial, trial.result), _lasting(trial, trial.run(trial.good_request, store=other))
    expect(
        again == first,
        f"two runs differ in {', '.join(_differences(first, again))}: mend it, or say deterministic = False",
    )


def leaves_nothing_outside_its_temp_dir(trial: Trial) -> None:
    """writes nothing beside its temp_dir and the store"""
    request = trial.good_request
    places = [trial.folder / "watched" / name for name in ("cwd", "home", "tmp")]
    for place in places:
        place.mkdir(parents=True)
    started, chosen = Path.cwd(), tempfile.tempdir
    with borrowed_environment(HOME=str(places[1]), TMPDIR=str(places[2])):
        os.chdir(places[0])
        tempfile.tempdir = None
        try:
            trial.run(request)
            ended = Path.cwd()
        finally:
            tempfile.tempdir = chosen
            os.chdir(started)
    expect(ended == places[0], f"it changed the working directory to {ended.name}/")
    left = [f"{path.relative_to(place)} in {place.name}" for place in places for path in place.rglob("*")]
    expect(not left, f"expected nothing outside temp_dir, found {', '.join(left[:3])}")


def changes_no_environment(trial: Trial) -> None:
    """changes no environment variable"""
    request = trial.good_request
    with borrowed_environment() as variables:
        before = variables()
        trial.run(request)
        after = variables()
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    expect(not changed, f"it changed {', '.join(changed)}")


def progress_goes_forward_and_stays_within_its_total(trial: Trial) -> None:
    """reports progress that goes forward and stays within its total"""
    shares: list[float] = []

    def watch(done: float, total: float, note: str = "") -> None:
        expect(total > 0, f"expected a total above 0, got {total}")
        shares.append(done / total)

    trial.run(trial.good_request, progress=watch)
    outside = [share for share in shares if not 0 <= share <= 1 + _ROUNDING]
    expect(not outside, f"expected shares from 0 to 1, got {outside[:1]}")
    expect(shares == sorted(shares), "expected progress to go forward, it went back")


# -- bad requests --


def bad_input_is_rejected_in_words(trial: Trial) -> None:
    """ends bad input with ProviderRejected, in words for a stranger"""
    if not trial.bad_requests:
        raise CaseSkipped("it opens no media")
    for name, request in trial.bad_requests.items():
        try:
            trial.run(request)
        except ProviderRejected as rejection:
            message = str(rejection)
            expect(len(message.split()) >= _FEWEST_WORDS, f"{name}: {message!r} tells a stranger nothing")
            expect(str(trial.folder) not in message, f"{name}: the message shows where files lie: {message}")
        except CaseFailed as failure:
            raise CaseFailed(f"{name}: expected ProviderRejected; {failure}") from failure
        else:
            raise CaseFailed(f"{name}: expected ProviderRejected, got a result")


# -- the whole way --


def the_platform_takes_its_result(trial: Trial) -> None:
    """runs in a provider's process, and every output decodes to what it says"""
    try:
        run_on_the_platform(trial)
    except SparkleError as error:
        raise CaseFailed(f"{type(error).__name__}: {error}") from error


# -- a no-op --


def fidelity_is_passthrough(trial: Trial) -> None:
    """says that it did nothing"""
    expect(trial.result.fidelity is Fidelity.PASSTHROUGH, f"expected fidelity passthrough, got {trial.result.fidelity}")


def has_no_options(trial: Trial) -> None:
    """has no options"""
    expect(not trial.provider.Options.model_fields, f"found {', '.join(trial.provider.Options.model_fields)}")


CASES: tuple[Case, ...] = (
    says_what_it_is,
    default_options_are_enough,
    unknown_option_is_refused,
    is_available_here,
    applicability_is_decided_without_reading_media,
    result_is_the_capabilitys_and_survives_storage,
    all_that_the_result_names_is_stored,
    what_it_hands_on_is_no_real_work,
    inputs_stay_as_they_were,
    equal_requests_give_equal_results_wherever_they_run,
    leaves_nothing_outside_its_temp_dir,
    changes_no_environment,
    progress_goes_forward_and_stays_within_its_total,
    bad_input_is_rejected_in_words,
    the_platform_takes_its_result,
)
NO_OP_CASES: tuple[Case, ...] = (fidelity_is_passthrough, has_no_options)
"""Besides, for the no-op of a capability."""


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _lasting(trial: Trial, result: TaskResult) -> Any:
    return _without(result.model_dump(mode="json"), trial.measured_fields)


def _differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two documents differ, as dotted paths."""
    if isinstance(one, dict) and isinstance(other, dict):
        first, second = cast(dict[str, Any], one), cast(dict[str, Any], other)
        keys = sorted({*first, *second})
        return [
            path for key in keys for path in _differences(first.get(key), second.get(key), f"{place}.{key}".strip("."))
        ]
    return [] if one == other else [place]


def _with_absent_refs(document: Any) -> Any:
    """The same document, its refs naming bytes that no store has."""
    if isinstance(document, dict):
        known = cast(dict[str, Any], document)
        if "checksum" in known:
            return {**known, "checksum": "sha256:" + "0" * 64, "path": "artifacts/sha256/00/nowhere"}
        return {key: _with_absent_refs(item) for key, item in known.items()}
    if isinstance(document, list | tuple):
        return [_with_absent_refs(item) for item in cast(list[Any], document)]
    return document


def _without(document: Any, names: frozenset[str]) -> Any:
    if isinstance(document, dict):
        known = cast(dict[str, Any], document)
        return {key: _without(item, names) for key, item in known.items() if key not in names}
    if isinstance(document, list):
        return [_without(item, names) for item in cast(list[Any], document)]
    return document
