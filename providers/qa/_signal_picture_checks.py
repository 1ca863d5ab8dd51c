"""Checks of what is seen, the mouth's timing apart: black, frozen while speaking, face there."""

from collections.abc import Sequence

from contracts.artifacts import Span
from contracts.qa import QACheck
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_picture import LEAST_STRETCH_SECONDS, Picture

EDGE_OF_SPEECH_SECONDS = 0.15
"""Speech detection ends that late; a mouth at rest there is not frozen."""


def black(catalogue: Catalogue, picture: Picture) -> QACheck:
    total = sum(span.duration_seconds for span in picture.black)
    message = f"{total:.2f} s are black." if picture.black else "No frame is black."
    return catalogue.measured("black", total, message, evidence=picture.black, digits=2)


def frozen_face(catalogue: Catalogue, picture: Picture, speech: Sequence[Span]) -> QACheck:
    if picture.mouth.face_share == 0:
        return catalogue.skipped("frozen_face", "No face was seen.")
    if not speech:
        return catalogue.skipped("frozen_face", "Nobody speaks.")
    inner = [_shrunk(span) for span in speech]
    found = [
        part
        for frozen in picture.frozen
        for spoken in inner
        if spoken and (part := _shared(frozen, spoken)) and part.duration_seconds >= LEAST_STRETCH_SECONDS
    ]
    longest = max((span.duration_seconds for span in found), default=0.0)
    message = (
        f"The lower face stands still for up to {longest:.2f} s while somebody speaks."
        if found
        else "The lower face never stands still while somebody speaks."
    )
    return catalogue.measured("frozen_face", longest, message, evidence=found, digits=2)


def face_present(catalogue: Catalogue, picture: Picture) -> QACheck:
    looks = picture.mouth.looks
    if not looks:
        return catalogue.skipped("face_present", "The picture is black throughout.")
    times = [look.time_seconds for look in looks]
    missing = [
        Span(start_seconds=start, end_seconds_exclusive=max(start, end))
        for look, start, end in zip(looks, times, [*times[1:], picture.end_seconds], strict=True)
        if look.face is None
    ]
    share = picture.mouth.face_share
    message = f"A face was seen in {share:.0%} of {len(looks)} frames looked at."
    return catalogue.measured("face_present", share, message, evidence=missing, digits=2)


def _shrunk(span: Span) -> Span | None:
    start = span.start_seconds + EDGE_OF_SPEECH_SECONDS
    end = span.end_seconds_exclusive - EDGE_OF_SPEECH_SECONDS
    return Span(start_seconds=start, end_seconds_exclusive=end) if end > start else None


def _shared(first: Span, second: Span) -> Span | None:
    start = max(first.start_seconds, second.start_seconds)
    end = min(first.end_seconds_exclusive, second.end_seconds_exclusive)
    return Span(start_seconds=start, end_seconds_exclusive=end) if end > start else None
