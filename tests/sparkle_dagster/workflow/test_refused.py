"""Each wrong file is refused with file, line, expected and found; all of its problems in one report."""

# ruff: noqa: E501  one case stands on one line

import pytest

from contracts.errors import ConfigError
from tests.sparkle_dagster.workflow.conftest import Load

BASE = """\
schema_version: 1
name: talking-video
nodes:
  - id: script
    task: ScriptGenerationTask
    inputs:
      audio_track: upload.audio_track
    outputs: [script]
  - id: lipsync
    task: LipSyncTask
    inputs:
      audio_track: upload.audio_track
      video_stub: upload.video_stub
      script: script.script
    params:
      no_face_policy: pass_through
    outputs: [aligned_video]
    retries: {max: 1}
  - id: qa
    task: QAReviewTask
    inputs:
      video: lipsync.aligned_video
      audio_track: lipsync.audio_track
    outputs: [qa_report]
"""

TASKS = "LipSyncTask, MediaInspectionTask, QAReviewTask, ScriptGenerationTask, VideoAssemblyTask"
LIPSYNC_FIELDS = "audio_track, language, metadata, no_face_policy, script, segments, speaker, video_stub"
UPLOAD_FIELDS = (
    "audio_track, captions, digest, fidelity, language, metadata, notes, profile, provider, "
    "source_names, tags, title, transcript, video_stub"
)
RESERVED = "reserved are: upload, production, registry, report"

# what is wrong -> (text of BASE, what stands there instead, line, message)
CASES: dict[str, tuple[str, str, int, str]] = {
    "a key of the file": ("name: talking-video", "name: t\ncolour: red", 3, "unknown key 'colour'; known: name, nodes, schema_version"),
    "a name": ("name: talking-video", "name: Talking", 2, "name: expected text of the pattern '^[a-z][a-z0-9-]{0,62}$', got 'Talking'"),
    "no name": ("name: talking-video", "# nothing", 1, "missing key 'name'"),
    "a newer version": (
        "schema_version: 1",
        "schema_version: 9",
        1,
        "WorkflowSpec: expected schema_version up to 1, got 9; "
        "it was written by a newer Sparkle: upgrade this installation to read it",
    ),
    "a key of a node": ("    retries: {max: 1}", "    retires: {max: 1}", 18, "node 'lipsync': unknown key 'retires'; did you mean 'retries'? known: cache, deps, description, id, inputs, lane, outputs, owners, params, provider, retries, skip_if, task, timeout, when"),
    "a key inside a node": ("{max: 1}", "{max: 1, dealy_s: 2}", 18, "node 'lipsync': retries: unknown key 'dealy_s'; did you mean 'delay_s'? known: backoff, delay_s, jitter, max"),
    "when without a name": ("    retries: {max: 1}", "    when: x", 18, "node 'lipsync': when: expected <name>.<field>, got 'x'; a text stands in quotes, inside those of the YAML file"),
    "when of an unknown node": ("    retries: {max: 1}", "    when: scrpt.confidence > 0.5", 18, "node 'lipsync': when: unknown name 'scrpt'; did you mean 'script'? known: lipsync, production, qa, registry, script, upload"),
    "when of an unknown field": ("    retries: {max: 1}", "    when: script.confidnce > 0.5", 18, "node 'lipsync': when: script has no field 'confidnce'; did you mean 'confidence'? known: captions_srt, captions_vtt, confidence, duration_seconds, fidelity, language, lines, metrics, mouth_curve, notes, phones, phones_origin, provider, speech, text, words_origin"),
    "when of an unknown inner field": ("    retries: {max: 1}", "    when: script.metrics.words > 5", 18, "node 'lipsync': when: script.metrics has no field 'words'; known: caption_count, phone_count, speech_seconds, word_count"),
    "when of an unknown value": ("    retries: {max: 1}", "    when: script.words_origin == 'recognized'", 18, "node 'lipsync': when: 'recognized' is none of its values; did you mean 'recognised'? known: none, recognised, transcript"),
    "when of another type": ("    retries: {max: 1}", "    when: script.confidence > 'high'", 18, "node 'lipsync': when: expected two numbers or two texts, got script.confidence (float) and 'high' (str)"),
    "when that is never equal": ("    retries: {max: 1}", "    when: upload.tags == 'draft'", 18, "node 'lipsync': when: upload.tags (tuple[str, ...]) is never equal to 'draft' (str)"),
    "when that is never in": ("    retries: {max: 1}", "    when: 3 in upload.tags", 18, "node 'lipsync': when: 3 (int) is never in upload.tags (tuple[str, ...])"),
    "when that is not true or false": ("    retries: {max: 1}", "    when: upload.title", 18, "node 'lipsync': when: expected true or false, got upload.title, a str; compare it, as upload.title != ..."),
    "when with a function": ("    retries: {max: 1}", "    when: len(upload.tags) > 1", 18, "node 'lipsync': when: len(upload.tags) is not allowed; allowed are and, or, not, comparisons, in, texts, numbers, True, False, None, [lists], <name>.<field>"),
    "when that is no expression": ("    retries: {max: 1}", "    when: upload.language ==", 18, "node 'lipsync': when: expected an expression such as upload.language == 'en'; invalid syntax"),
    "when of itself": ("    retries: {max: 1}", "    when: lipsync.fidelity == 'real'", 9, "expected an order without a cycle, got lipsync -> lipsync"),
    "when of a later node": ("    retries: {max: 1}", "    when: qa.verdict == 'approve'", 9, "expected an order without a cycle, got lipsync -> qa -> lipsync"),
    "skip_if of an unknown capability": ("    retries: {max: 1}", "    skip_if: not registry.vidoe.enabled", 18, "node 'lipsync': skip_if: unknown capability 'vidoe'; did you mean 'video'? known: lipsync, media, qa, script, video"),
    "skip_if of more than the registry tells": ("    retries: {max: 1}", "    skip_if: registry.video.providers == 'x'", 18, "node 'lipsync': skip_if: expected registry.<capability>.enabled, got registry.video.providers"),
    "skip_if that is too long": ("    retries: {max: 1}", f"    skip_if: upload.title == '{'x' * 500}'", 18, f"node 'lipsync': skip_if: expected text of at most 500 characters, got \"upload.title == '{'x' * 59}..."),
    "no task": ("    task: LipSyncTask\n", "", 9, "node 'lipsync': missing key 'task'"),
    "an unknown task": ("task: LipSyncTask", "task: LipSinkTask", 10, f"node 'lipsync': unknown task 'LipSinkTask'; did you mean 'LipSyncTask'? known: {TASKS}"),
    "an id twice": ("id: lipsync", "id: script", 9, "node 'script': duplicate id; each node needs its own"),
    "an output twice": ("[aligned_video]", "[script]", 17, "node 'lipsync': duplicate output 'script'; node 'script' makes it already"),
    "two outputs": ("[aligned_video]", "[a, b]", 17, "node 'lipsync': outputs: expected at most 1 item, got 2"),
    "no output": ("[aligned_video]", "[]", 17, "node 'lipsync': outputs: expected at least 1 item, got 0"),
    "a reserved id": ("id: qa", "id: production", 19, f"node 'production': the id is reserved; {RESERVED}"),
    "a reserved output": ("[qa_report]", "[upload]", 24, f"node 'qa': output 'upload' is reserved; {RESERVED}"),
    "an id that is no name": ("id: qa", "id: Q-A", 19, "node 'Q-A': id: expected text of the pattern '^[a-z][a-z0-9_]{0,62}$', got 'Q-A'"),
    "an unknown node": ("script: script.script", "script: scrpt.script", 14, "node 'lipsync': inputs: script: unknown node 'scrpt'; did you mean 'script'? known: lipsync, qa, script, upload"),
    "an unknown field": ("lipsync.aligned_video", "lipsync.aligned", 22, "node 'qa': inputs: video: 'lipsync' (LipSyncResult) has no field 'aligned'; did you mean 'aligned_video'? known: aligned_video, audio_track, before_mouth, fidelity, metrics, mouth_curve, notes, provider, untouched"),
    "an unknown upload field": ("upload.video_stub", "upload.face", 13, f"node 'lipsync': inputs: video_stub: 'upload' (UploadResult) has no field 'face'; known: {UPLOAD_FIELDS}"),
    "the upload as a whole": ("upload.video_stub", "upload.upload", 13, f"node 'lipsync': inputs: video_stub: 'upload' (UploadResult) has no field 'upload'; known: {UPLOAD_FIELDS}"),
    "another node's asset": ("script: script.script", "script: script.aligned_video", 14, "node 'lipsync': inputs: script: 'script' (ScriptResult) has no field 'aligned_video'; known: captions_srt, captions_vtt, confidence, duration_seconds, fidelity, language, lines, metrics, mouth_curve, notes, phones, phones_origin, provider, script, speech, text, words_origin"),
    "an input without a field": ("script: script.script", "script: script", 14, "node 'lipsync': inputs: script: expected <node>.<field>, such as upload.audio_track, got 'script'"),
    "an unknown request field": ("script: script.script", "scrpt: script.script", 14, f"node 'lipsync': inputs: LipSyncRequest has no field 'scrpt'; did you mean 'script'? known: {LIPSYNC_FIELDS}"),
    "a field bound twice": ("no_face_policy: pass_through", "script: null", 16, "node 'lipsync': params: 'script' is bound in inputs as well (script.script); keep one of the two"),
    "a param that is no field": ("no_face_policy:", "no_face:", 16, f"node 'lipsync': params: LipSyncRequest has no field 'no_face'; did you mean 'no_face_policy'? known: {LIPSYNC_FIELDS}"),
    "a param of a wrong value": ("pass_through", "explode", 16, "node 'lipsync': params: no_face_policy: expected 'pass_through', 'hold_last' or 'fail', got 'explode'"),
    "a param out of range": ("no_face_policy: pass_through", "speaker: -1", 16, "node 'lipsync': params: speaker: expected a value greater than or equal to 0, got -1"),
    "a param wrong inside": ("no_face_policy: pass_through", "segments:\n        - start_seconds: 0\n          end_second: 1", 17, "node 'lipsync': params: segments.0: missing key 'end_seconds_exclusive'"),
    "a required field unbound": ("      audio_track: lipsync.audio_track\n", "", 21, "node 'qa': 'audio_track' of QAReviewRequest is required and bound neither in inputs nor in params"),
    "an input of the platform's": ("script: script.script", "input_fidelity: script.fidelity", 14, "node 'lipsync': inputs: 'input_fidelity' is filled by the platform; remove the line"),
    "a param of the platform's": ("no_face_policy: pass_through", "production: {key: a}", 16, "node 'lipsync': params: 'production' is filled by the platform; remove the line"),
    "a schema_version of a request": ("no_face_policy: pass_through", "schema_version: 1", 16, "node 'lipsync': params: 'schema_version' is filled by the platform; remove the line"),
    "an unknown dep": ("    retries: {max: 1}", "    deps: [scrip]", 18, "node 'lipsync': deps: unknown node 'scrip'; did you mean 'script'? known: lipsync, qa, script, upload"),
    "an input that may be empty": ("upload.video_stub", "upload.transcript", 13, "node 'lipsync': inputs: video_stub: upload.transcript may be empty (ArtifactRef | None), but LipSyncRequest.video_stub always needs a value (ArtifactRef)"),
    "an input of another type": ("upload.video_stub", "upload.title", 13, "node 'lipsync': inputs: video_stub: expected ArtifactRef for LipSyncRequest.video_stub, got upload.title, a str"),
    "a whole of another type": ("script: script.script", "script: upload.tags", 14, "node 'lipsync': inputs: script: expected ScriptResult | None for LipSyncRequest.script, got upload.tags, a tuple[str, ...]"),
    "a text for a choice": ("no_face_policy: pass_through", "metadata: []", 16, "node 'lipsync': params: metadata: expected a mapping, got []"),
    "another capability's provider": ("    retries: {max: 1}", "    provider: video/pyav", 18, "node 'lipsync': provider: expected a provider of 'lipsync' (LipSyncTask), got one of 'video'"),
    "a provider without a capability": ("    retries: {max: 1}", "    provider: pyav", 18, "node 'lipsync': provider: expected text of the pattern '^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$', got 'pyav'"),
    "an owner": ("    retries: {max: 1}", "    owners: [bob]", 18, "node 'lipsync': owners: expected an e-mail address or 'team:<name>', got 'bob'"),
    "a timeout": ("    retries: {max: 1}", "    timeout: 10 minutes", 18, "node 'lipsync': timeout: expected a duration such as 500ms, 90s, 10m, 1h or 30d, got '10 minutes'"),
    "too many retries": ("{max: 1}", "{max: 99}", 18, "node 'lipsync': retries.max: expected a value less than or equal to 10, got 99"),
    "a lane": ("    retries: {max: 1}", "    lane: tpu", 18, "node 'lipsync': lane: expected 'auto', 'cpu' or 'gpu', got 'tpu'"),
    "a cycle of deps": ("    outputs: [script]", "    outputs: [script]\n    deps: [qa]", 10, "expected an order without a cycle, got lipsync -> qa -> script -> lipsync"),
    "a node that waits for itself": ("    retries: {max: 1}", "    deps: [lipsync]", 9, "expected an order without a cycle, got lipsync -> lipsync"),
    "a node that is no mapping": ("  - id: qa", "  - 7\n  - id: qa", 19, "nodes.2: expected a mapping, got 7"),
    "a duplicate key": ("    retries: {max: 1}", "    task: LipSyncTask", 18, "duplicate key 'task'; it stands first on line 10"),
}  # fmt: skip


@pytest.mark.requirement("S2", "S16")
@pytest.mark.parametrize("wrong", CASES)
def test_a_wrong_file_is_refused_with_line_expected_and_found(load: Load, wrong: str) -> None:
    before, after, line, message = CASES[wrong]
    assert BASE.count(before) == 1
    with pytest.raises(ConfigError) as caught:
        load(BASE.replace(before, after))
    assert (caught.value.file, caught.value.line) == ("workflow.yaml", line)
    assert str(caught.value).splitlines()[0] == f"workflow.yaml:{line}: {message}"


def test_the_base_of_these_cases_is_right(load: Load) -> None:
    assert [node.id for node in load(BASE).nodes] == ["script", "lipsync", "qa"]


@pytest.mark.parametrize("text", ["name: a\n", "name: a\nnodes: []\n", "name: a\nnodes: 3\n", "name: a\nnodes:\n"])
def test_a_file_without_nodes_is_refused(load: Load, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^workflow\.yaml:\d: (missing key 'nodes'|nodes: expected )"):
        load(text)


def test_all_problems_stand_in_one_report_by_line(load: Load) -> None:
    text = BASE.replace("ScriptGenerationTask", "Script").replace("{max: 1}", "{max: -1}")
    text = text.replace("lipsync.audio_track", "lipsync.mouth_curve") + "    when: x\n    deps: [nobody]\n"
    with pytest.raises(ConfigError) as caught:
        load(text)
    places = [line.split(" ")[0] for line in str(caught.value).splitlines()]
    assert places == ["workflow.yaml:5:", "workflow.yaml:18:", "workflow.yaml:25:", "workflow.yaml:26:"]


def test_a_refused_node_does_not_make_those_after_it_wrong(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(BASE.replace("task: LipSyncTask", "task: Unknown"))
    assert len(str(caught.value).splitlines()) == 1


def test_two_cycles_are_both_named(load: Load) -> None:
    nodes = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "a")]
    line = (
        "  - {{id: {0}, task: ScriptGenerationTask, inputs: {{audio_track: upload.audio_track}}, "
        "outputs: [{0}], deps: [{1}]}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load("name: cycles\nnodes:\n" + "".join(line.format(*node) for node in nodes))
    assert str(caught.value).splitlines() == [
        "workflow.yaml:3: expected an order without a cycle, got a -> b -> a",
        "workflow.yaml:5: expected an order without a cycle, got c -> d -> c",
    ]


def test_a_cycle_through_an_input_that_does_not_fit_is_named_too(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"got lipsync -> qa -> lipsync"):
        load(BASE.replace("script: script.script", "script: qa.verdict"))


def test_json_is_refused_with_the_same_message(load: Load) -> None:
    text = '{"name": "a",\n "nodes": [\n  {"id": "a", "task": "Nothing", "outputs": ["a"]}]}'
    with pytest.raises(ConfigError) as caught:
        load(text, name="w.json")
    assert str(caught.value) == f"w.json:3: node 'a': unknown task 'Nothing'; known: {TASKS}"
